"""The store stands on the ground modules alone, and its own modules in one direction; imports inside functions count."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[2] / "harness"
GROUND = {"harness.errors", "harness.files", "harness.digests", "harness.garbage", "harness.outcome", "harness.texts"}
STORE = {f"harness.store.{file.stem}" for file in (HARNESS / "store").glob("*.py") if file.stem != "__init__"}


def imported(file: Path) -> set[str]:
    """Modules of ours that a file imports, except for type checkers."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    skipped = {id(node) for branch in typing for part in branch.body for node in ast.walk(part)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in skipped:
            found |= {f"{node.module}.{name.name}" if node.module == "harness.store" else node.module for name in node.names}
        elif isinstance(node, ast.Import) and id(node) not in skipped:
            found |= {name.name for name in node.names}
    return {name for name in found if name.split(".")[0] == "harness"}


@pytest.mark.parametrize("module", sorted(GROUND))
def test_the_ground_imports_nothing_of_ours(module: str):
    assert imported(HARNESS / f"{module.split('.')[1]}.py") == set()


def test_the_store_imports_the_ground_and_itself_without_circles():
    arrows = {module: imported(HARNESS / "store" / f"{module.split('.')[2]}.py") for module in STORE}
    assert {target for targets in arrows.values() for target in targets} <= GROUND | STORE
    assert "harness.store.base" in [*TopologicalSorter(arrows).static_order()]
