"""Trials that cost nothing: an engine can be tested without a model."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.compose import Trial
from harness.compose.plan import Plan
from harness.digests import digest_of
from harness.outcome import Confusion, Cost, Outcome


def make_trial(number: int = 0, *, benchmark: str = "fake", cost: float = 1.0, seed: int = 0, **changes: Any) -> Trial:
    """A trial with a digest of its own."""
    config = {"number": number, **changes.pop("config", {})}
    return Trial(
        digest=digest_of([benchmark, number, seed]),
        benchmark=benchmark,
        version=1,
        family="classification",
        tier="synthetic",
        method=f"method-{number}",
        slot="pooling",
        seed=seed,
        config=config,
        config_digest=digest_of(config),
        dataset="data-1",
        plugins={},
        cost=cost,
        **changes,
    )


def make_plan(count: int = 1, **options: Any) -> Plan:
    """A plan of ``count`` trials, without a benchmark of the catalogue."""
    return Plan([make_trial(number, **options) for number in range(count)], {})


def expected(trial: Trial) -> dict[str, float]:
    """The metrics a fake trial yields: many digits, all determined by its digest."""
    generator = np.random.default_rng(int(trial.digest, 16))
    return {f"metric-{i}": float(value) for i, value in enumerate(generator.random(5) * 100)}


CONFUSION = Confusion(("sky", "the road", "été"), np.array([[2**53 + 1, 0, 3], [0, 0, 0], [17, 0, 20_000_000]]), "pixels")


def outcome_of(trial: Trial) -> Outcome:
    """A full result, with every kind of content."""
    generator = np.random.default_rng(int(trial.digest, 16))
    return Outcome(
        metrics=expected(trial),
        cost=Cost(params=1234, flops=1e6, latency_ms=0.5),
        per_sample={"correct": (generator.random(100) > 0.5).astype(np.float32)},
        curves={"loss": generator.random((5, 2)), "val/metric-0": np.array([[2.0, 40.0], [5.0, float("nan")]])},
        confusion=CONFUSION,
        diagnostics={"entropy": float("nan")},
        durations={"train": 0.1},
        environment={"device": "cpu"},
        notes=["a note"],
        labels={"map": "class activation"},
    )


def sleeping(seconds: float) -> Callable[..., Outcome]:
    """A trial function that takes some time, and notes each start in its work folder."""

    def function(trial: Trial, *, data: Path, work_dir: Path, device: str, batch_divisor: int = 1) -> Outcome:
        with (work_dir / "starts.txt").open("a") as stream:
            stream.write("start\n")
        time.sleep(seconds)
        return outcome_of(trial)

    return function


def starts(results: Path, trial: Trial) -> int:
    """How often a trial of :func:`sleeping` was started."""
    file = results / "trials" / trial.digest / "starts.txt"
    return len(file.read_text().splitlines()) if file.is_file() else 0
