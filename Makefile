# Set-up, demo, checks and tests; needs CPython 3.11 or 3.12, git and make, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: setup demo lint test matrix lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12) and "CPython 3.11 or 3.12 is needed; give one: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@# torch alone brings what it needs: on Linux the CUDA build, where the registry serves it
	$(BIN)/pip install -q --no-compile torch==2.13.0
	$(BIN)/pip install -q --no-compile --only-binary :all: --no-deps -r requirements.txt
	$(BIN)/pip install -q --no-deps -e .
	@# on all cores, of which pip uses one; some packages bring files that are no Python of today, which nobody imports
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
	@touch $@

demo: setup
	$(BIN)/harness run -s demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup
	@# a file's tests share what they prepare; at most four processes, since each imports the whole stack
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# fresh environments at both ends of the ranges of pyproject.toml; docs/install.md says what passed
matrix:
	$(PYTHON) -m venv build/matrix/uv
	build/matrix/uv/bin/pip install -q uv
	PATH="$(CURDIR)/build/matrix/uv/bin:$$PATH" $(PYTHON) tests/matrix.py

lock:
	@(sed -n '/^#/p' requirements.txt; $(BIN)/pip freeze --exclude-editable --exclude torch) > requirements.new
	@mv requirements.new requirements.txt

clean:
	rm -rf $(VENV) build dist
