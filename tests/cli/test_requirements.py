"""What is imported is asked for, what is asked for fits, and what does not fit is said."""

from __future__ import annotations

import ast
import json
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness import openmmlab, requirements
from harness.errors import UsageError

ROOT = Path(__file__).parents[2]
BROUGHT = {"opencv-python": "mmengine", "importlib-metadata": "mmpretrain", "markupsafe": "jinja2", "pycocotools": "mmdet"}
"""Not asked for: who brings it."""


def imported(folder: str) -> set[str]:
    """Distributions whose packages the modules of a folder import."""
    names = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    names -= {*sys.stdlib_module_names, "harness", "harness_plugins", "dashboard"}
    known = packages_distributions() | {"cv2": ["opencv-python"], "mmcv": ["mmcv-lite"], "xtcocotools": []}
    return {canonicalize_name(distribution) for name in names for distribution in known.get(name, [name])}


def asked(*by: str) -> set[str]:
    """Distributions that the harness itself, or some extras, ask for."""
    return {canonicalize_name(some.requirement.name) for some in requirements.needed() if some.by in by}


def test_what_is_imported_is_asked_for():
    core = asked("", "the keypoint family") | {*BROUGHT}
    assert set(BROUGHT.values()) <= core
    assert imported("plugins") <= core
    assert imported("harness") <= core | asked("the extra 'ray'", "the extra 'slurm'", "the extra 'timm'")
    assert imported("dashboard") <= core | asked("the extra 'dashboard'")
    assert not asked("") & asked("the extra 'dashboard'"), "who only trains installs no dashboard"


def test_the_lock_is_within_the_ranges():
    """What ``make setup`` installs; torch, named there, brings fsspec."""
    lock = {canonicalize_name(made.name): made for made in map(Requirement, _lines(ROOT / "requirements.txt"))}
    makefile = (ROOT / "Makefile").read_text()
    lock["torch"] = Requirement(f"torch=={makefile.partition('torch==')[2].split()[0]}")
    for some in requirements.needed():
        name = canonicalize_name(some.requirement.name)
        if name in lock:
            (pin,) = lock[name].specifier
            assert some.requirement.specifier.contains(pin.version), some
        else:
            assert name == "fsspec" or some.by in ("the extra 'ray'", "the extra 'slurm'", "the extra 'timm'"), (
                f"{name} is not in requirements.txt"
            )


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture
def told(cli, monkeypatch):
    """What ``harness doctor`` says of packages, of which some are of other versions (``None``: not installed)."""

    def told(**others: str | None) -> dict[str, list[tuple[str, str, str]]]:
        real = requirements.version

        def version(name: str) -> str:
            found = others.get(name.replace("-", "_"), real)
            if found is None:
                raise PackageNotFoundError(name)
            return real(name) if found is real else str(found)

        monkeypatch.setattr(requirements, "version", version)
        for look in ("_openmmlab", "_devices", "_data"):
            monkeypatch.setattr(f"harness.doctor.{look}", lambda *_: iter(()))
        rows = json.loads(cli("doctor", "--json").stdout)["rows"]
        found: dict[str, list[tuple[str, str, str]]] = {}
        for row in rows:
            if row["part"] == "package":
                found.setdefault(row["name"], []).append((row["state"], row["what"], row["mend"]))
        return found

    return told


def test_doctor_finds_nothing_wrong_here(told):
    assert {state for rows in told().values() for state, _, _ in rows} <= {"ok", "note"}


def test_doctor_says_what_is_absent_and_which_command_brings_it(told):
    found = told(scipy=None, streamlit=None, mmpose=None)
    assert found["scipy"] == [("broken", "not installed", "Run `pip install 'scipy>=1.16,<2'`.")]
    ((state, what, mend),) = found["streamlit"]
    assert (state, what) == ("note", "not installed; the extra 'dashboard' needs it") and "pip install 'streamlit>=" in mend
    ((state, what, mend),) = found["mmpose"]
    assert (state, what) == ("note", "not installed; the keypoint family needs it") and "--no-deps 'mmpose>=" in mend


def test_doctor_says_what_was_not_tested(told):
    ((state, what, mend),) = told(scipy="1.9.0")["scipy"]
    assert state == "note" and what == "1.9.0, which was not tested" and "'scipy>=" in mend


def test_doctor_says_what_does_not_go_together(told, monkeypatch):
    monkeypatch.setattr(requirements, "requires", lambda name: ["torch==2.13.0"] if name == "torchvision" else [])
    told_here = told(torchvision="0.28.0", torch="2.14.1+cu130", opencv_python="4.11.0", opencv_python_headless="5.0.0")
    said = "0.28.0 wants torch==2.13.0, but 2.14.1+cu130 is installed"
    assert ("broken", said, "Run `pip install --upgrade torchvision 'torch==2.14.1'`.") in told_here["torchvision"]
    ((state, what, mend),) = told_here["opencv-python"]
    assert state == "broken" and what == "opencv-python 4.11.0 and opencv-python-headless 5.0.0 lie in one folder"
    assert mend.startswith("Run `pip uninstall opencv-python opencv-python-headless` and")
    monkeypatch.setattr(requirements, "requires", lambda name: ["setuptools>=77.0.3"] if name == "torch" else [])
    ((_, what, mend),) = told(setuptools="65.5.0")["torch"][1:]
    assert what.endswith("wants setuptools>=77.0.3, but 65.5.0 is installed")
    assert mend == "Run `pip install 'setuptools>=65,>=77.0.3,<81'`.", "what is wanted, within what is tested"


def test_full_mmcv_stands_for_the_light_one(told, monkeypatch):
    monkeypatch.setattr(requirements, "requires", lambda name: [])
    assert told(mmcv_lite=None, mmcv="2.1.0")["mmcv-lite"] == [("ok", "mmcv 2.1.0", "")]


def test_an_installed_copy_says_the_same(monkeypatch, tmp_path):
    """By metadata, as a wheel has them."""
    here = requirements.needed()
    extras = [some.by.removeprefix("the extra ") if "extra" in some.by else "" for some in here]
    texts = [f"{some.requirement}; extra == {extra}" if extra else str(some.requirement) for some, extra in zip(here, extras, strict=True)]
    monkeypatch.setattr("harness.paths.home", lambda: tmp_path)
    monkeypatch.setattr(requirements, "requires", lambda name: [*texts[:-1], "pytest>=8; extra == 'test'"])
    of_wheel = type("Metadata", (), {"get_all": lambda self, name: ["dashboard", "postgresql", "ray", "slurm", "timm", "test"]})()
    monkeypatch.setattr(requirements, "metadata", lambda name: of_wheel)
    there = requirements.needed()
    assert [(one.by, one.mend) for one in there] == [(one.by, one.mend) for one in here]


def test_a_family_without_its_toolbox_is_refused_before_anything_runs(cli, monkeypatch):
    monkeypatch.setattr(openmmlab, "TOOLBOXES", ("mmpretrain", "mmseg", "mmdet"))
    done = cli("run", "-b", "figures-keypoint", "-m", "identity")
    assert done.exit_code == 2 and "this needs mmpose, which is not installed. Run `pip install --no-deps 'mmpose>=" in done.stderr
    with pytest.raises(UsageError, match="mmpose"):
        openmmlab.require("mmpose")


def test_the_dashboard_says_what_it_needs(cli, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    done = cli("dashboard", "--port", "8654")
    said = "error: the dashboard needs streamlit, which is not installed. Run `pip install 'attention-harness[dashboard]'`.\n"
    assert (done.exit_code, done.stderr) == (2, said)
