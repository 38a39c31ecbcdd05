"""Every plugin keeps the contract of its slot: a new one is tested by being registered."""

from __future__ import annotations

import pytest

from harness.catalog import load_catalog
from harness.catalog.plugins import discover, owners
from harness.plugin_tools import contract


def _targets() -> list[str]:
    """Plugins as they are, and methods that set parameters."""
    plugins = owners(discover())
    configured = [m.id for m in load_catalog().methods.values() if any(filling.params for filling in m.slots.values())]
    return sorted({*plugins, *configured})


TARGETS = _targets()


def test_there_is_something_to_check() -> None:
    assert len(TARGETS) > 40


@pytest.mark.parametrize("target", TARGETS)
def test_contract(openmmlab: None, target: str) -> None:
    report = contract.check(target, slow=False)
    assert report.ok, report.failed


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_compile_and_export(openmmlab: None, target: str) -> None:
    for subject in contract.subjects(target):
        failed = [row for row in contract.rows(subject, contract.SLOW) if row.ok is False]
        assert not failed, failed
