"""Two to five methods against each other: differences with verdicts, and the test samples on which two of them differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis import sampled
from harness.analysis.board import Board, Row
from harness.analysis.compare import Comparison
from harness.analysis.tables import csv_table
from harness.outcome import GROUP, GUESS, LABEL

MOST = 5
"""Methods that are compared at a time: they make ten pairs."""

LEVELS = 40
"""Values of an axis from which on samples that lie close together share a dot."""


@dataclass(frozen=True)
class Panel:
    """Differences that can share an axis."""

    unit: str
    higher_is_better: bool
    rows: tuple[Comparison, ...]

    @property
    def reach(self) -> float:
        """The largest difference of a row or an end of its interval: zero lies in the middle of the axis."""
        ends = [abs(value) for row in self.rows for value in (row.difference, *(row.ci95 or ()))]
        return max((value for value in ends if np.isfinite(value)), default=1.0) or 1.0


def panels(rows: Iterable[Comparison]) -> list[Panel]:
    """Comparisons by unit and direction, in their order."""
    found: dict[tuple[str, bool], list[Comparison]] = {}
    for row in rows:
        found.setdefault((row.unit, row.higher_is_better), []).append(row)
    return [Panel(unit, higher, tuple(some)) for (unit, higher), some in found.items()]


@dataclass(frozen=True)
class Shared:
    """A block that two or more of the methods are in."""

    name: str
    """In an address: the benchmark's for its first block, :attr:`where` for others."""
    where: str
    """In a line."""
    rows: dict[str, Row]
    """Method -> its row of the primary metric, in the order the methods were given."""


def shared(board: Board, methods: Sequence[str]) -> list[Shared]:
    """The blocks in which methods can be compared, in the board's order."""
    found: list[Shared] = []
    for rows in board.of(methods).blocks().values():
        primary = {name: row for name, some in rows.items() for row in some if row.primary}
        if len(primary) > 1:
            first = next(iter(primary.values()))
            where = place(first)
            name = where if any(each.name == first.benchmark for each in found) else first.benchmark
            found.append(Shared(name, where, {name: primary[name] for name in methods if name in primary}))
    return found


def place(row: Row | Comparison) -> str:
    """The block of a row, in a line."""
    return f"{row.benchmark} v{row.version}{f' · {row.differs}' if row.differs else ''}"


def csv_text(rows: Sequence[Comparison]) -> str:
    """One line per row, with all that :meth:`Comparison.plain` tells; the interval has two columns, digests and overrides are joined by
    spaces."""
    told = []
    for row in rows:
        low, high = row.ci95 or (None, None)
        kept = {name: value for name, value in row.plain().items() if name != "ci95"}
        joined = {name: " ".join(getattr(row, name)) for name in ("digests_a", "digests_b", "overrides_a", "overrides_b")}
        joined["missing"] = "; ".join(lacks.note for lacks in row.missing)
        told.append({**kept, **joined, "ci95_low": low, "ci95_high": high})
    return csv_table([*told[0]], [[*some.values()] for some in told]) if told else ""


@dataclass(frozen=True)
class Scores:
    """What two methods score on each test sample."""

    score: str
    made: bool
    """Whether the benchmark's metric is the mean or median of these scores."""
    unit: str
    """Empty where it is not known: of scores that the primary metric is not made of."""
    higher_is_better: bool | None
    """``None`` where it is not known."""
    seeds: tuple[int, ...]
    """That both have."""
    of_a: np.ndarray
    """(seeds, samples), NaN where a sample has no score."""
    of_b: np.ndarray
    labels: np.ndarray | None
    """(samples,) class of each image, as a number, where images have one."""
    guesses: tuple[np.ndarray, np.ndarray] | None
    """(seeds, samples) what each method took an image for, where images have one class."""

    @property
    def a(self) -> np.ndarray:
        """(samples,) means over the seeds."""
        return _mean(self.of_a)

    @property
    def b(self) -> np.ndarray:
        """(samples,) means over the seeds."""
        return _mean(self.of_b)

    @property
    def higher(self) -> tuple[int, int, int]:
        """Samples on which a scores higher, on which both score alike, and on which b scores higher."""
        difference = self.a - self.b
        return int((difference > 0).sum()), int((difference == 0).sum()), int((difference < 0).sum())


def _mean(values: np.ndarray) -> np.ndarray:
    # the same seeds in another order are no difference
    found: np.ndarray = values.mean(0).round(9)
    return found


def scores(a: Row, b: Row, trials: Mapping[str, sampled.Scores]) -> list[Scores]:
    """Every score of single samples that two methods of a block share, that of the primary metric first.

    Empty where none is stored, where the methods have no seed in common, and where they saw different numbers of samples.

    Args:
        trials: digest -> scores, see :meth:`Store.per_sample`.
    """
    seeds = tuple(seed for seed in a.seeds if seed in b.seeds)
    digests = [[row.digests[row.seeds.index(seed)] for seed in seeds] for row in (a, b)]
    some = [trials.get(digest, {}) for digest in (*digests[0], *digests[1])]
    names = [name for name in (some[0] if some else ()) if all(name in one for one in some)]
    sizes = {one[name].size for one in some for name in names}
    if len(sizes) != 1:
        return []
    made = sampled.made_of(a, trials)

    def of(name: str) -> tuple[np.ndarray, np.ndarray]:
        left, right = (np.stack([np.asarray(trials[digest][name], np.float64) for digest in mine]) for mine in digests)
        return left, right

    labels = of(LABEL)[0][0] if LABEL in names else None
    guesses = of(GUESS) if GUESS in names else None
    told = [name for name in names if name not in (LABEL, GUESS, GROUP)]
    mine = {made[1]} if made else {*sampled.proposed(a.metric)}
    found = []
    for name in sorted(told, key=lambda name: name not in mine):
        unit, higher = (a.unit, a.higher_is_better) if name in mine else ("", None)
        left, right = of(name)
        found.append(Scores(name, made is not None and name == made[1], unit, higher, seeds, left, right, labels, guesses))
    return found


@dataclass(frozen=True)
class Dot:
    """Samples that two methods score alike, or nearly."""

    a: float
    b: float
    samples: tuple[int, ...]
    """Their places in the test set, those that differ most first."""


def dots(some: Scores) -> list[Dot]:
    """The samples that both methods score, as points of a plane; where either axis has more than :data:`LEVELS` values, and there are
    more samples than a plane of so many holds, those within a cell of that grid share a dot at their mean."""
    a, b = some.a, some.b
    known = np.flatnonzero(np.isfinite(a) & np.isfinite(b))
    if not known.size:
        return []
    keys = np.stack([a[known], b[known]])
    if len(known) > LEVELS**2 and max(len(np.unique(axis)) for axis in keys) > LEVELS:
        low, high = keys.min(), keys.max()
        keys = np.minimum(((keys - low) / (high - low) * LEVELS).astype(int), LEVELS - 1)
    _, place = np.unique(keys, axis=1, return_inverse=True)
    found = []
    for cell in range(int(place.max()) + 1):
        mine = known[place.ravel() == cell]
        order = mine[np.argsort(-np.abs(a[mine] - b[mine]), kind="stable")]
        found.append(Dot(float(a[mine].mean()), float(b[mine].mean()), tuple(order.tolist())))
    return found


def furthest(some: Scores, count: int) -> list[int]:
    """The samples on which two methods differ most, in both directions, the largest difference first; none that they score alike."""
    difference = np.nan_to_num(np.abs(some.a - some.b))
    order = np.argsort(-difference, kind="stable")[:count]
    return [int(sample) for sample in order if difference[sample] > 0]
