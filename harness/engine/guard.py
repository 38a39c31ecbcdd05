"""A trial counts only on the data that it was planned with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import unchanged

if TYPE_CHECKING:
    from harness.benchmarks import Task
    from harness.compose import Trial
    from harness.engine.child import TrialFunction
    from harness.outcome import Outcome


DATA = "data"
"""The label that says which files a trial has read: their fingerprint."""


def guarded(function: TrialFunction, tasks: Mapping[str, Task]) -> TrialFunction:
    """``function``, which fails with a :class:`~harness.errors.DataError` where the dataset's files change before it ends.

    Its outcome says what they were.

    Args:
        tasks: benchmark -> task, of the plan.
    """

    def run(trial: Trial, *, data: Path, **where: Any) -> Outcome:
        task = tasks.get(trial.benchmark)
        if task is None:
            return function(trial, data=data, **where)
        loaded = unchanged(task, data, trial.dataset)
        outcome = function(trial, data=data, **where)
        unchanged(task, data, trial.dataset)
        outcome.labels = {**outcome.labels, DATA: loaded}
        return outcome

    return run
