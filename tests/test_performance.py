"""Scripts of ``perf`` do what they say: comparisons are fair, faults can be put in their places."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
import torch

from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins

METHODS = load_catalog().methods


@pytest.fixture(scope="module")
def case(openmmlab):
    sys.path.insert(0, str(Path(__file__).parents[1] / "perf"))
    from peers import case

    load_plugins({filling.plugin for method in METHODS.values() for filling in method.slots.values()}, discover())
    yield case
    sys.path.pop(0)


def test_every_fault_of_the_gate_is_one_line_of_the_sources(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "perf"))
    from gate import FAULTS, ROOT

    counts = {(fault.name, file): (ROOT / file).read_text().count(old) for fault in FAULTS for file, old, _ in fault.edits}
    assert len(counts) >= 10 and {place: count for place, count in counts.items() if count != 1} == {}


def test_every_working_method_of_a_measured_slot_has_a_peer(case):
    assert not case.missing(METHODS)
    new = METHODS["simpool"].model_copy(update={"id": "new"})
    assert case.missing({**METHODS, "new": new}) == ["new"]


def test_all_sides_compute_the_same_with_the_same_gradients(case):
    """In float64, so that only a different formula makes a difference."""
    for row, peer in case.PEERS.items():
        sides = case.build(row, METHODS[peer.method or row], d=64, edge=8, batch=2, dtype=torch.float64)
        apart = case.differences(sides, row)
        assert set(apart) == set(sides.sides) - {"ours"}
        assert all(difference < 1e-6 for difference in apart.values()), f"{row}: {apart}"


def test_random_blocks_are_those_of_the_plain_form(case):
    from harness_plugins.masking.random_masking import block_mask
    from peers.masking import block

    for seed in range(20):
        plain = block(14, 0.4 * 14**2, random.Random(seed).uniform)
        assert block_mask(14, 14, 0.4 * 14**2, random.Random(seed)).tolist() == plain.tolist()
