"""What must be fast imports nothing heavy: judged by what is imported, not by a clock."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "pandas", "sqlalchemy", "mmengine", "scipy", "cv2", "streamlit")

PROBE = """
import json, sys
from harness.cli import main
try:
    main({args!r}, prog_name="harness")
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["run", "--help"],
        ["report", "--help"],
        ["list", "methods"],
        ["list", "methods", "--family", "keypoint"],
        ["list", "benchmarks"],
        ["list", "suites"],
        ["list", "claims"],
    ],
    ids=" ".join,
)
def test_imports_nothing_heavy(args, tmp_path):
    probe = PROBE.format(args=args, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("what", ["methods", "benchmarks", "suites", "claims"])
def test_a_remembered_list_needs_no_catalogue(what, tmp_path):
    probe = PROBE.format(args=["list", what, "--family", "keypoint"], heavy=("pydantic", "yaml", "rich", *HEAVY))
    runs = [subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=tmp_path) for _ in range(2)]
    first, second = (run.stdout.rpartition("\n")[0].rpartition("\n") for run in runs)
    assert first[0] == second[0] and json.loads(first[2]) == ["pydantic", "yaml"] and json.loads(second[2]) == []


def test_help_needs_no_catalogue(tmp_path):
    probe = PROBE.format(args=["--help"], heavy=("pydantic", "yaml", "rich", *HEAVY))
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout.splitlines()[-1]) == []
