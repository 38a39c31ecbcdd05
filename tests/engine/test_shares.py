"""Which part of a GPU a worker asks of a cluster."""

from __future__ import annotations

import random
from dataclasses import replace

from engine_fakes import make_trial

from harness.engine.places import CONTEXT, FILLED
from harness.engine.shares import Share, shares

GB = 1 << 30


def trial(benchmark: str, setting: str, cost: float = 1.0):
    return replace(make_trial(benchmark=benchmark), setting=setting, cost=cost)


def test_without_a_memory_all_are_one_share():
    assert shares([trial("a", "s"), trial("b", "t", 5.0)], {"s": 1.0}, None) == [Share(None, ("b", "a"))]


def test_what_was_measured_decides_and_what_was_not_gets_all():
    trials = [trial("small", "s"), trial("large", "l", 9.0), trial("new", "n"), trial("small", "s2"), trial("tiny", "t")]
    found = shares(trials, {"s": 900.0, "s2": 15_000.0, "l": 15_000.0, "t": 10.0}, 80 * GB)
    assert found == [Share(0.25, ("large", "small")), Share(1.0, ("new",)), Share(0.125, ("tiny",))]
    assert shares([trial("small", "s"), trial("small", "unknown")], {"s": 1.0}, 80 * GB) == [Share(1.0, ("small",))]


def test_so_many_fit_and_one_more_would_not():
    dice = random.Random(0)
    for _ in range(500):
        memory, peak = dice.randrange(4, 200) * GB, dice.uniform(1, 60_000)
        ((part, _),) = [(share.gpus, share.benchmarks) for share in shares([trial("a", "s")], {"s": peak}, memory)]
        count, each = int(1 / part), 1.2 * peak * 1e6 + CONTEXT
        assert part * count <= 1 and 1 <= count <= 8
        assert count == 1 or count * each <= FILLED * memory
        assert count == 8 or (count + 1) * each > FILLED * memory
