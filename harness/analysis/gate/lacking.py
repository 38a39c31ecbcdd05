"""What a check cannot judge by the results that are there: trials that failed, and settings or sources that were planned since.

A database keeps what earlier code measured. Where what ran or was planned last has no result, the earlier numbers are no answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.board import Board, Row
from harness.analysis.gate.expected import Expected, Key
from harness.analysis.missing import Missing

if TYPE_CHECKING:
    from harness.store import TrialRow


@dataclass(frozen=True)
class Lacking:
    """Of the entries of a baseline."""

    failed: list[TrialRow]
    """Trials without a result, of the settings and sources that ran or were planned last."""
    since: dict[Key, Missing]
    """Entries whose results are older than what was planned last."""


def lacking(pairs: Sequence[tuple[Expected, Row | None]], board: Board, trials: Iterable[TrialRow]) -> Lacking:
    """
    Args:
        pairs: entries of a baseline, and the row that counts now.
        trials: those behind the rows, for when they ended, and those that failed, which are returned as they are here.
    """
    known = {trial.digest: trial for trial in trials}
    cells: dict[tuple[str, int, str], list[tuple[Missing, bool]]] = defaultdict(list)
    for some, newer in ((board.missing, False), (board.since, True)):
        for lacks in some:
            cells[lacks.benchmark, lacks.version, lacks.method].append((lacks, newer))
    failed: dict[str, TrialRow] = {}
    since: dict[Key, Missing] = {}
    for expected, row in pairs:
        for lacks, newer in cells.get(expected.key[:3], ()):
            if not _asked(lacks, expected):
                continue
            own = row is not None and lacks.setting.digest == row.setting.digest
            if later := newer if own else row is not None and _after(lacks, row, known):
                since[expected.key] = lacks
            if own or later or row is None or not _as_before(row, expected):
                failed |= {trial.digest: known.get(trial.digest, trial) for trial in lacks.trials if trial.state == "failed"}
    return Lacking(sorted(failed.values(), key=lambda trial: (trial.benchmark, trial.method, trial.seed, trial.digest)), since)


def _asked(lacks: Missing, expected: Expected) -> bool:
    """Whether the trials are of the baseline's ``--set`` and tuning; one of the first schema does not say."""
    if expected.measured_in is None:
        return True
    return lacks.trials[0].overrides == expected.overrides and lacks.setting.budget == expected.measured_in.budget


def _as_before(row: Row, expected: Expected) -> bool:
    return expected.measured_in is None or (row.overrides, row.setting.budget) == (expected.overrides, expected.measured_in.budget)


def _after(lacks: Missing, row: Row, known: dict[str, TrialRow]) -> bool:
    """Whether the trials have no result in their setting and were planned when all behind a row of another one had ended."""
    ended = [known[digest].finished or 0.0 for digest in row.digests if digest in known]
    return not lacks.ended and bool(ended) and min(trial.created for trial in lacks.trials) > max(ended)
