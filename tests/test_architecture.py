"""The house: imports run one way, without circles, and what is shipped is found by name and by entry point."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harness import families
from harness.benchmarks import family, task
from harness.catalog import Benchmark
from harness.errors import UsageError

ROOT = Path(__file__).parents[1]

FLOORS = (
    # what stands alone, then what stands in for packages
    (
        *("errors", "paths", "points", "files", "remote", "images", "families", "outcome", "marks", "slots", "digests", "texts", "_coco"),
        *("_mmcv", "garbage", "regions", "headers", "tiff", "opencv", "depth"),
    ),
    ("openmmlab", "diagnostics", "features"),
    ("catalog",),
    ("benchmarks",),
    ("data", "generated", "listing", "fingerprints"),
    ("compose",),
    ("store",),
    ("engine", "analysis", "plugin_tools", "doctor", "register", "requirements"),
    ("report",),
    ("cli",),
)
"""Parts of the harness from the ground up; one may import what stands on its own floor or below."""


def _imports(file: Path, module: str) -> Iterator[str]:
    """Names that a module imports anywhere, in functions too; those for annotations only are left out."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: write imports out"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _modules() -> dict[str, Path]:
    found = {}
    for place in ("harness", "dashboard", "plugins/harness_plugins"):
        for file in sorted((ROOT / place).rglob("*.py")):
            parts = file.relative_to(ROOT / place).with_suffix("").parts
            name = ".".join((Path(place).name, *(part for part in parts if part != "__init__")))
            if "migrations" not in parts:
                found[name] = file
    return found


MODULES = _modules()


def _edges() -> dict[str, set[str]]:
    """Module -> modules of ours it imports; of ``from a import b`` the module ``a.b`` where there is one, or else ``a``."""
    edges: dict[str, set[str]] = {}
    for name, file in MODULES.items():
        targets = set()
        for imported in _imports(file, name):
            target = imported if imported in MODULES else imported.rpartition(".")[0]
            if target in MODULES and target != name:
                targets.add(target)
        edges[name] = targets
    return edges


EDGES = _edges()


def _circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(edges.get(name, ())):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            component = []
            while not component or component[-1] != name:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    sys.setrecursionlimit(10_000)
    for name in sorted(edges):
        if name not in index:
            visit(name)
    return found


def test_the_finder_of_circles_finds_them():
    assert _circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert any("harness.benchmarks.base" in targets for targets in EDGES.values()) and len(MODULES) > 150


def test_no_imports_run_in_circles():
    assert _circles(EDGES) == []


def test_no_import_runs_upward():
    floor_of = {part: number for number, floor in enumerate(FLOORS) for part in floor}
    upward = []
    for name, targets in EDGES.items():
        top, *rest = name.split(".")
        for target in targets:
            if not target.startswith("harness.") or target == "harness":
                continue
            there = floor_of[target.split(".")[1]]
            if top == "harness_plugins":
                allowed = target in ("harness.slots", "harness.regions")
            elif top == "harness" and rest:
                allowed = rest[0] == "__main__" or there <= floor_of[rest[0]]
            else:
                allowed = True  # the dashboard reads anything
            if not allowed:
                upward.append(f"{name} -> {target}")
    assert upward == []


def test_toolboxes_are_imported_behind_their_mends():
    """`harness evaluate` imports the engine before OpenMMLab is set up, and a toolbox that comes first cannot be imported everywhere."""
    toolboxes = {"mmcv", "mmpretrain", "mmdet", "mmpose", "mmseg", "torchvision"}
    for name, file in MODULES.items():
        if name.startswith(("harness.engine.", "harness.diagnostics.")):
            body = ast.parse(file.read_text(encoding="utf-8")).body
            found = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
            names = {alias.name for node in found for alias in node.names} | {getattr(node, "module", "") or "" for node in found}
            assert not {imported.partition(".")[0] for imported in names} & toolboxes, f"{name}: import it where it is used"


def test_every_part_of_the_harness_has_its_floor():
    parts = {name.split(".")[1] for name in MODULES if name.startswith("harness.")} - {"__main__"}
    assert parts == {part for floor in FLOORS for part in floor}


ROOMS = ("config", "scores", "check", "floor", "pictures", "mm", "options", "readers", "synthetic")


@pytest.mark.parametrize("name", families.SHIPPED)
def test_every_family_has_the_same_rooms(name):
    package = families.SHIPPED[name]
    # what would be drawn follows from a config; frozen features are those of classification's formats
    wanted = set(ROOMS) - ({"synthetic"} if name in ("openmmlab", "frozen-features") else set())
    assert {room for room in ROOMS if f"{package}.{room}" in MODULES} == wanted
    assert EDGES[package] <= {"harness.benchmarks.base", f"{package}.options", f"{package}.scores"}, "the package itself holds tables only"


@pytest.mark.parametrize("name", families.SHIPPED)
def test_every_format_of_a_family_is_one_module(name):
    for form in family(name).known_formats():
        found = family(name).format(form)
        assert found.options.model_fields["format"].annotation.__args__ == (form,)
        assert (found.generate is not None) == (form in ("synthetic", "digits"))


OUTSIDE = """
from harness.benchmarks.base import Format
from harness.benchmarks.segmentation.readers.mmseg_folder import FolderData, read
from typing import Literal


class Mine(FolderData):
    format: Literal["mine"]


FORMAT = Format(Mine, read)
"""


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """Entry points as an installed package would declare them: name -> value, per group."""
    points: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(families, "entry_points_of", lambda group: [EntryPoint(*item, group) for item in points.get(group, {}).items()])
    monkeypatch.syspath_prepend(tmp_path)
    for cached in (families.packages, families.formats_from_outside, family):
        cached.cache_clear()
    yield points
    monkeypatch.undo()
    for cached in (families.packages, families.formats_from_outside, family):
        cached.cache_clear()


def test_an_outside_package_brings_a_format(brought, tmp_path):
    (tmp_path / "outside_format.py").write_text(OUTSIDE)
    brought["harness.formats"] = {"segmentation/mine": "outside_format", "segmentation/mmseg": "outside_format", "keypoint/mine": "x"}
    entry = Benchmark(id="b", family="segmentation", data={"format": "mine", "root": "r", "classes": ["a", "b"]})
    assert type(task(entry).data).__name__ == "Mine"
    shipped = "harness.benchmarks.segmentation.readers.mmseg"
    assert family("segmentation").known_formats()["mmseg"] == shipped, "a shipped name cannot be taken"
    assert "mine" not in family("classification").known_formats()


def test_an_outside_package_brings_a_family(brought, tmp_path):
    package = tmp_path / "outside_family"
    package.mkdir()
    for name in ("__init__", "scores", "config", "check", "floor", "pictures"):
        source = (ROOT / "harness/benchmarks/classification" / f"{name}.py").read_text()
        (package / f"{name}.py").write_text(source.replace('name="classification"', 'name="mine"'))
    text = (package / "__init__.py").read_text()
    for shipped in (".synthetic", ".readers"):
        text = text.replace(f'"{shipped}', f'"harness.benchmarks.classification{shipped}')
    (package / "__init__.py").write_text(text)
    brought["harness.families"] = {"mine": "outside_family", "keypoint": "outside_family"}
    assert families.names() == (*families.SHIPPED, "mine")
    entry = Benchmark(id="b", family="mine", data={"format": "digits"})
    assert task(entry).family.name == "mine" and task(entry).config({})["test_evaluator"]["type"] == "TopAccuracy"


def test_a_family_whose_package_does_not_import_is_named(brought):
    brought["harness.families"] = {"mine": "no_such_package"}
    with pytest.raises(UsageError, match=r"family 'mine'.*no_such_package"):
        task(Benchmark(id="b", family="mine", data={"format": "digits"}))
