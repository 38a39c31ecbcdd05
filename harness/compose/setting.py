"""What numbers depend on besides the method and the seed: only those of one setting may stand in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.benchmarks import Task, weights

NUMERICS = 5
"""Version of the harness's own numerics: raise it whenever a change may alter any trial's result."""

_OF_TRAINING = ("model", "schedule", "tuning", "after")


def setting(task: Task, fingerprint: str, after: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All of it as plain data, without paths: the typed options of the entry, the data, the evaluator and the numerics.

    That of a tuned trial has ``tuning`` besides (:attr:`harness.compose.tuning.Search.budget`): numbers of another budget, or of none,
    cannot be compared.

    Args:
        fingerprint: of the task's dataset, see :func:`harness.data.fingerprint`.
        after: that of the benchmark whose weights it begins with, if it is a stage.
    """
    found = {
        "family": task.family.name,
        "version": task.entry.version,
        "data": task.data.model_dump(mode="json", exclude={"root"}),
        "dataset": fingerprint,
        "evaluator": task.config({})["test_evaluator"],
        "numerics": NUMERICS,
        "model": task.model.model_dump(mode="json") | {"weights": weights.named(task.model.weights)[0]},
        "schedule": task.schedule.model_dump(mode="json"),
    }
    return found if after is None else {**found, "after": dict(after)}


def of_task(whole: dict[str, Any]) -> dict[str, Any]:
    """The part of a setting that the trivial predictor depends on, too: data and scores."""
    return {name: value for name, value in whole.items() if name not in _OF_TRAINING}
