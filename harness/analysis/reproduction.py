"""The command that runs a trial again, and whether the code that is installed here would run the same trial."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.digests import digest_of
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.compose import Trial
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
    told, budget = row.overrides, list[str]()
    if row.purpose and not tuning:
        return ()
    if tuning:
        budget = ["--tune", str(tuning["trials"]), "--tune-seeds", str(len(tuning["seeds"]))]
        own: Mapping[str, Any] = next((point["values"] for point in tuning["points"] if row.digest in point["trials"]), {})
        told = tuple(text for text in told if text not in _texts(own))
    seeds = 1 if row.purpose else row.seed + 1
    words = ["harness", "run", "-m", row.method, "-b", row.benchmark, "--seeds", str(seeds)]
    words += [word for text in told for word in ("--set", text)] + budget
    device = str(environment.get("device", ""))
    words += ["--device", device] if re.fullmatch(r"cpu|cuda(:\d+)?", device) else []
    return (*_checkout(environment), shlex.join([*words, "--db", ELSEWHERE]))


def _checkout(environment: Mapping[str, Any]) -> list[str]:
    sha = str(environment.get("git_sha") or "")
    if not re.fullmatch("[0-9a-f]{40}", sha):
        return []
    return [f"# it ran from commit {sha} with changes that were not committed"] if environment.get("git_dirty") else [f"git checkout {sha}"]


def _texts(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The ``key=value`` of a point of a search, as its trials have them."""
    return tuple(f"{key}={json.dumps(value)}" for key, value in values.items())


def planned_here(row: TrialRow, conditions: Mapping[str, Any], tuning: Mapping[str, Any] | None) -> Trial:
    """The trial that :func:`command` would run with the code and the registry that are here, given the same dataset.

    Args:
        conditions: what is behind the trial's setting (:meth:`harness.store.Store.settings`); the budget of a tuned one is part of it.

    Raises:
        HarnessError: the registry does not have the method or the benchmark, or refuses its options.
    """
    from dataclasses import replace

    from harness.benchmarks import task
    from harness.catalog import load_catalog
    from harness.catalog.adopt import adopt
    from harness.catalog.plugins import discover
    from harness.compose import compose
    from harness.compose.overrides import Overrides
    from harness.compose.trial import TUNING
    from harness.errors import did_you_mean

    files = discover()
    catalog = adopt(load_catalog(), files)
    for name, known, what in ((row.method, catalog.methods, "method"), (row.benchmark, catalog.benchmarks, "benchmark")):
        if name not in known:
            raise did_you_mean(name, known, what)
    found: Mapping[str, Any] = {}
    if tuning and not row.purpose and tuning["winner"] is not None:
        found = tuning["points"][tuning["winner"]]["values"]
    changes = Overrides.parse([*row.overrides, *_texts(found)])
    method, bench = changes.of_method(catalog.methods[row.method]), task(changes.of_benchmark(catalog.benchmarks[row.benchmark]))
    if method.fill(bench.slots) is None:
        raise HarnessError(f"method '{row.method}' fits no slot of '{row.benchmark}' here.")
    trial = compose(method, bench, row.seed, row.dataset, files, row.overrides)
    if row.purpose:
        return replace(trial, digest=digest_of([trial.digest, TUNING]))
    return replace(trial, digest=digest_of([trial.digest, conditions["tuning"]])) if "tuning" in conditions else trial


def differs_here(row: TrialRow, conditions: Mapping[str, Any], tuning: Mapping[str, Any] | None) -> str:
    """Why the code that is here would run another trial, in a sentence; empty where it would run the same one.

    The arguments are those of :func:`planned_here`.
    """
    try:
        trial = planned_here(row, conditions, tuning)
    except HarnessError as error:
        return f"It cannot be run here: {error}"
    if trial.digest == row.digest:
        return ""
    numerics = conditions.get("numerics"), trial.conditions.get("numerics")
    sources = [name for name in sorted({*row.plugins, *trial.plugins}) if row.plugins.get(name) != trial.plugins.get(name)]
    reasons = [
        f"the benchmark is of version {trial.version}, not {row.version}" if trial.version != row.version else "",
        f"the harness's numerics are {numerics[1]}, not {numerics[0]}" if numerics[0] not in (None, numerics[1]) else "",
        f"the code of {', '.join(sources)} is another" if sources else "",
        "the config is another" if trial.config_digest != row.config_digest else "",
    ]
    return f"Here it is another trial ({trial.digest}): {'; '.join(filter(None, reasons)) or 'the options of the method are others'}."
