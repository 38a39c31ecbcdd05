"""The command that runs a trial again, and whether the code that is installed here would run the same trial."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.store import TrialRow

ELSEWHERE = "sqlite:///again/harness.db"
"""A database of its own: in one that has the trial, nothing would be run."""


def command(row: TrialRow, environment: Mapping[str, Any], tuning: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The lines of a shell script; empty for a tuning trial of which nobody knows the budget.

    ``harness run`` counts seeds from 0: those before the trial's own are run, too.

    Args:
        environment: where it ran; empty where nothing is known.
        tuning: what was tried to find its options, or, for a tuning trial, what it belongs to (:meth:`Search.report`).
    """
    from harness.compose.again import texts

    told, budget = row.overrides, list[str]()
    if row.purpose and not tuning:
        return ()
    if tuning:
        budget = ["--tune", str(tuning["trials"]), "--tune-seeds", str(len(tuning["seeds"]))]
        own: Mapping[str, Any] = next((point["values"] for point in tuning["points"] if row.digest in point["trials"]), {})
        told = tuple(text for text in told if text not in texts(own))
    seeds = 1 if row.purpose else row.seed + 1
    where = ["--config", row.config_file] if row.config_file else ["-b", row.benchmark]
    words = ["harness", "run", "-m", row.method, *where, "--seeds", str(seeds)]
    words += [word for text in told for word in ("--set", text)] + budget
    device = str(environment.get("device", ""))
    words += ["--device", device] if re.fullmatch(r"cpu|cuda(:\d+)?", device) else []
    return (*_checkout(environment), shlex.join([*words, "--db", ELSEWHERE]))


def _checkout(environment: Mapping[str, Any]) -> list[str]:
    sha = str(environment.get("git_sha") or "")
    if not re.fullmatch("[0-9a-f]{40}", sha):
        return []
    return [f"# it ran from commit {sha} with changes that were not committed"] if environment.get("git_dirty") else [f"git checkout {sha}"]


def differs_here(row: TrialRow, conditions: Mapping[str, Any], tuning: Mapping[str, Any] | None) -> str:
    """Why the code that is here would run another trial than :func:`command` means, in a sentence; empty where it would run the same one.

    Args:
        conditions: what is behind the trial's setting (:meth:`harness.store.Store.settings`); the budget of a tuned one is part of it.
    """
    from harness.compose.again import Registered, difference

    try:
        here = Registered.here()
        (trial,) = here.trials([row], here.cell(row, tuning), conditions, tuning, row.dataset)
    except HarnessError as error:
        return f"It cannot be run here: {error}"
    return difference(row, trial, conditions)
