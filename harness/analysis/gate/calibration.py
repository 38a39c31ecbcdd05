"""How often a check of unchanged code would find a regression, and the smallest drop that each entry catches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np
from scipy.special import stdtrit
from scipy.stats import binomtest

from harness.analysis.board import Board, Row
from harness.analysis.gate.expected import Expected, Key
from harness.analysis.gate.limits import Noise, alphas, grouped, limits, noises
from harness.analysis.inference.cells import from_moments
from harness.analysis.inference.mixtures import Array
from harness.analysis.inference.scales import Scale

REPEATS = 400


@dataclass(frozen=True)
class Rate:
    """Of checks in which unchanged code, run with other seeds, was called worse."""

    alarms: int
    repeats: int
    entries: int
    """Of the baseline, that took part."""
    seeds: int
    """The fewest that were at hand of a method."""

    @property
    def rate(self) -> float:
        return self.alarms / self.repeats

    @property
    def interval(self) -> tuple[float, float]:
        """95 % (Clopper & Pearson 1934)."""
        found = binomtest(self.alarms, self.repeats).proportion_ci(0.95)
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class Sharpness:
    """What an entry catches where all entries were measured by other code or on another machine."""

    benchmark: str
    version: int
    method: str
    metric: str
    unit: str
    primary: bool
    mean: float | None
    tolerance: float
    allowed: float | None
    detectable: float | None
    """The smallest drop that is caught with a chance of 80 %."""
    caught: float | None
    """Chance that a loss of 5 points is caught; of percentages only."""
    to_lose: float | None
    """From the mean to the floor; ``None`` where there is no end."""


@dataclass(frozen=True)
class Calibration:
    """What a baseline is good for."""

    simulated: Rate
    """Seeds drawn from the noise that the baseline's values suggest."""
    resampled: Rate | None
    """Seeds drawn without replacement from those in the database; ``None`` where it has not twice as many as a check must have."""
    entries: list[Sharpness]


def calibrate(entries: Sequence[Expected], board: Board | None = None, repeats: int = REPEATS, seed: int = 0) -> Calibration:
    """Estimate by repeats; entries without values (schema 1 and 2) and those that are not numbers take no part."""
    usable = [entry for entry in entries if entry.values and entry.mean is not None]
    known = noises(usable)
    usable = [entry for entry in usable if math.isfinite(known[entry.key].variance)]
    rng = np.random.default_rng(seed)
    return Calibration(
        _simulated(usable, known, repeats, rng),
        None if board is None else _resampled(usable, board, repeats, rng),
        [*_sharpness(entries)],
    )


def _sharpness(entries: Sequence[Expected]) -> Iterator[Sharpness]:
    found = limits(entries)
    for entry in entries:
        limit, to_lose = found[entry.key], entry.distance()
        known = math.isfinite(limit.allowed)
        yield Sharpness(
            benchmark=entry.benchmark,
            version=entry.version,
            method=entry.method,
            metric=entry.metric,
            unit=entry.unit,
            primary=entry.primary,
            mean=entry.mean,
            tolerance=entry.tolerance,
            allowed=limit.allowed if known else None,
            detectable=limit.detectable() if known else None,
            caught=limit.caught(5.0) if known and entry.unit == "%" else None,
            to_lose=to_lose if math.isfinite(to_lose) else None,
        )


@dataclass(frozen=True)
class _Group:
    """The methods of one benchmark, setting and metric."""

    entries: list[Expected]
    scale: Scale

    def alarms(self, shares: Mapping[Key, float], before: list[Array], after: list[Array]) -> np.ndarray:
        """(repeats,): whether one or more methods are called worse.

        Args:
            before, after: per method (repeats, seeds) values of a baseline and of a check.
        """
        n, m = (np.array([some.shape[-1] for some in values], np.float64) for values in (before, after))
        mean = np.stack([values.mean(-1) for values in before], -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.stack([values.var(-1, ddof=1) if values.shape[-1] > 1 else np.full(len(values), np.nan) for values in before], -1)
        cells = from_moments(mean, variance, n, self.scale)
        share = np.array([shares[entry.key] for entry in self.entries])
        sign = np.array([1.0 if entry.higher_is_better else -1.0 for entry in self.entries])
        drop = sign * (mean - np.stack([values.mean(-1) for values in after], -1))
        critical = stdtrit(cells.df, 1 - share) * np.sqrt(cells.variance * (1 / n + 1 / m))
        tolerance = np.array([entry.tolerance for entry in self.entries])
        found: np.ndarray = (drop > np.maximum(critical, tolerance)).any(-1)
        return found


def _simulated(entries: Sequence[Expected], known: Mapping[Key, Noise], repeats: int, rng: np.random.Generator) -> Rate:
    """Baselines and checks from normal seeds around each mean, whose true variance is drawn from what is known of it.

    Metrics are drawn apart from each other, as if they were of different trials, which makes alarms in one or more likelier.
    """
    shares, found = alphas(entries), np.zeros(repeats, bool)
    for group in starmap(_Group, grouped(entries)):
        before, after = [], []
        for entry in group.entries:
            noise, n = known[entry.key], len(entry.values)
            spread = np.sqrt(noise.variance * noise.df / rng.chisquare(noise.df, (repeats, 1)))
            values = (entry.mean or 0.0) + spread * rng.standard_normal((repeats, n + entry.n))
            if group.scale.name == "percent":
                values = values.clip(0, 100)
            before.append(values[:, :n])
            after.append(values[:, n:])
        found |= group.alarms(shares, before, after)
    return Rate(int(found.sum()), repeats, len(entries), min((len(entry.values) for entry in entries), default=0))


def _enough(row: Row, entry: Expected) -> bool:
    return row.n >= 2 * entry.n and bool(np.isfinite(row.values).all())


def _resampled(entries: Sequence[Expected], board: Board, repeats: int, rng: np.random.Generator) -> Rate | None:
    """Baselines and checks from the database's seeds: twice as many as a check must have, drawn anew for each repeat."""
    rows: dict[Key, Row] = {}
    for row in board.rows:
        rows.setdefault((row.benchmark, row.version, row.method, row.metric), row)
    usable = [entry for entry in entries if entry.key in rows and _enough(rows[entry.key], entry)]
    if not usable:
        return None
    shares, found = alphas(usable), np.zeros(repeats, bool)
    orders: dict[Any, np.ndarray] = {}
    for group in starmap(_Group, grouped(usable)):
        before, after = [], []
        for entry in group.entries:
            values, n = np.asarray(rows[entry.key].values), entry.n
            order = orders.setdefault(entry.key[:3], rng.permuted(np.tile(np.arange(values.size), (repeats, 1)), axis=1))
            before.append(values[order[:, :n]])
            after.append(values[order[:, n : 2 * n]])
        found |= group.alarms(shares, before, after)
    return Rate(int(found.sum()), repeats, len(usable), min(rows[entry.key].n for entry in usable))


def as_json(calibration: Calibration) -> dict[str, Any]:
    """The calibration as plain data (docs/json.md)."""

    def rate(found: Rate | None) -> dict[str, Any] | None:
        return None if found is None else vars(found) | {"rate": found.rate, "ci95": found.interval}

    return {
        "false_alarms": {"simulated": rate(calibration.simulated), "resampled": rate(calibration.resampled)},
        "entries": [vars(entry) for entry in calibration.entries],
    }
