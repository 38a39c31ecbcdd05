"""Leaderboards with the trials behind them, whose digests and machines are chosen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.leaderboard import build
from harness.store.records import TrialRow


class Measured:
    """A leaderboard of one benchmark with the trials behind it."""

    def __init__(self, results, specs, floors, unfinished, settings, environments):
        self.board = build(results, specs, floors, unfinished=unfinished, settings=settings, environments=environments)
        self.results = {result.digest: result for result in results}
        self.trials = [
            TrialRow(**{name: getattr(result, name) for name in TrialRow.__dataclass_fields__ if name != "alive"}, alive=False)
            for result in results
        ]


@pytest.fixture
def measure(result, specs, floors):
    """Measures methods: ``measure({"gap": [(80.0, 1.0), ...]}, code="new")``; trials are known by code, method and seed.

    Beside them the board has trials ``unfinished`` without a result, and results ``beside``.
    """

    def make(methods, *, code="old", on="here", unfinished=(), beside=(), settings=None, environments=None, **changes):
        found = [
            replace(
                result(method, seed, {"top1": top1, "error": error}, **changes),
                digest=f"{code}-{method}-{seed}",
                environment_digest=on,
                state="done",
            )
            for method, values in methods.items()
            for seed, (top1, error) in enumerate(values)
        ]
        return Measured([*found, *beside], specs, floors, unfinished, settings, environments)

    return make
