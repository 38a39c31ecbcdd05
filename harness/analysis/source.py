"""What readers (command line, dashboard, reports) ask of a database, opened read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis import confusion as confusion_
from harness.analysis import diagnostics as diagnostics_
from harness.analysis import leaderboard
from harness.store import open_store

if TYPE_CHECKING:
    import numpy as np

    from harness.store import Result, TrialRow


def board(url: str, *, all_versions: bool = False, **filters: Iterable[str] | None) -> leaderboard.Board:
    """The leaderboard of a database.

    Args:
        filters: ``benchmarks``, ``families``, ``methods``, ``digests``; each a collection of names, none means all.

    Raises:
        UsageError: the database cannot be read. One that does not exist yet has no rows.
    """
    store = open_store(url, read_only=True)
    return leaderboard.build(
        store.results(**filters),
        store.specs(),
        store.floors(),
        environments=store.environments(),
        settings=store.settings(),
        all_versions=all_versions,
    )


def diagnostics(url: str, shown: leaderboard.Board) -> list[diagnostics_.Diagnostic]:
    """The diagnostics of the trials behind a leaderboard."""
    digests = {digest for row in shown.rows for digest in row.digests}
    return diagnostics_.build(shown, open_store(url, read_only=True).results(digests=digests))


def trials(url: str, **filters: Iterable[str] | None) -> list[TrialRow]:
    """Where every trial stands."""
    return open_store(url, read_only=True).trials(**filters)


def results(url: str, **filters: Iterable[str] | None) -> list[Result]:
    """Trials that are done, with all of their numbers."""
    return open_store(url, read_only=True).results(**filters)


def trial(url: str, prefix: str) -> tuple[TrialRow, Result | None]:
    """The one trial whose digest begins with ``prefix``, with its result if it is done.

    Raises:
        UsageError: there is none, or more than one.
    """
    store = open_store(url, read_only=True)
    row = store.trial(prefix)
    return row, next(iter(store.results(purposes=[row.purpose], digests=[row.digest])), None)


def tuning(url: str, row: TrialRow) -> dict[str, Any] | None:
    """What was tried to find a trial's options, see :meth:`harness.compose.tuning.Search.report`; ``None`` where nothing was."""
    return open_store(url, read_only=True).config(row.tuning) or None if row.tuning else None


def validations(url: str, metrics: Mapping[str, str]) -> dict[str, float]:
    """Digest of a trial -> the last value of one of its learning curves; none where it has no such curve.

    Args:
        metrics: digest -> name of the curve.
    """
    curves = open_store(url, read_only=True).curves(metrics)
    return {digest: float(some[metrics[digest]][-1, 1]) for digest, some in curves.items() if len(some.get(metrics[digest], ()))}


def confusion(url: str, trials: Iterable[TrialRow]) -> tuple[np.ndarray, list[str]] | None:
    """What the classifiers of some trials of one setting take for what, and the classes; ``None`` where none classified.

    See :func:`harness.analysis.confusion.counts`.
    """
    store, trials = open_store(url, read_only=True), list(trials)
    total = confusion_.counts(store.per_sample(digests=[row.digest for row in trials]).values())
    if total is None:
        return None
    return total, confusion_.names(store.settings().get(trials[0].setting, {}), len(total))


def curves(url: str, row: TrialRow) -> tuple[dict[str, np.ndarray], str]:
    """The learning curves of a trial, see :attr:`harness.outcome.Outcome.curves`, and the primary metric of its benchmark."""
    store = open_store(url, read_only=True)
    primary = [s.metric for s in store.specs() if (s.benchmark, s.version) == (row.benchmark, row.version) and s.primary]
    return store.curves([row.digest]).get(row.digest, {}), next(iter(primary), "")


def states(url: str, digests: Iterable[str]) -> dict[str, str]:
    """Digest -> state, of the trials that are known."""
    return open_store(url, read_only=True).states(digests=digests)


def recorded_benchmarks(url: str) -> set[str]:
    """Benchmarks that were run at least once."""
    return {spec.benchmark for spec in open_store(url, read_only=True).specs()}


def log_tail(row: TrialRow, lines: int = 40) -> str:
    """The last lines of a trial's log; empty where there is none."""
    if not row.log or not Path(row.log).is_file():
        return ""
    with Path(row.log).open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - 200 * lines))
        return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])


def pictures(row: TrialRow) -> list[Path]:
    """Pictures a trial left: attention maps over test images, trajectories, error curves."""
    folder = Path(row.work_dir or "") / "artifacts"
    return sorted(file for file in folder.glob("*.*") if file.suffix in (".png", ".jpg")) if row.work_dir and folder.is_dir() else []


def first_epoch(row: TrialRow) -> list[dict[str, Any]]:
    """The course of query-key distance and purity over a trial's first epoch, see :func:`harness.analysis.diagnostics.curve`."""
    return diagnostics_.curve(Path(row.work_dir) / "artifacts" / "first_epoch.csv") if row.work_dir else []
