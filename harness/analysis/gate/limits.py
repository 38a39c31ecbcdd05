"""How far a metric must fall to count: by a size that means something, and by more than noise.

The noise is that of training seeds. A baseline's entry has n values; unchanged code with m other seeds has a mean that differs by
√φ V(μ)(1/n + 1/m) times Student's t, where the dispersion φ is moderated by the other methods of the benchmark
(:mod:`harness.analysis.inference`). Only the baseline's values make φ: a method that breaks on one of its seeds must not widen its
own limit, and so all limits are known before anything is measured.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from scipy.special import stdtr, stdtrit

from harness.analysis.gate.expected import Expected, Key
from harness.analysis.inference.cells import fit
from harness.analysis.inference.power import POWER
from harness.analysis.inference.scales import Scale, scale_of

FALSE_ALARMS = 0.01
"""Chance that a check of unchanged code finds one regression or more."""

PRIMARY_SHARE = 0.8
"""Of :data:`FALSE_ALARMS`, for the primary metrics together; the others have the rest."""

MACHINE = 0.6
"""What another processor makes of a seed's value, as a share of what another seed does: both in standard deviations of a value. Between
AVX-512 and AVX2 kernels of one machine it was 0.47 on digits, 0.31 on scenes-classification and 0.14 on scenes-localization (primary
metrics of 3 methods with 3 seeds each)."""

MOST_SEEDS = 30
"""As far as :func:`seeds_needed` looks."""


@dataclass(frozen=True)
class Noise:
    """Of one seed's value."""

    variance: float
    df: float
    """Degrees of freedom of ``variance``."""


@dataclass(frozen=True)
class Limit:
    """How far one entry may fall."""

    tolerance: float
    error: float
    """Standard error of the difference of two means; 0 where a difference cannot be noise, NaN where noise is not known."""
    df: float
    alpha: float
    """Chance of a false alarm of this entry."""

    @cached_property
    def critical(self) -> float:
        """What noise exceeds with a chance of ``alpha``."""
        return float(stdtrit(self.df, 1 - self.alpha)) * self.error if self.error else 0.0

    @property
    def allowed(self) -> float:
        """The drop that is no regression yet; NaN where the noise is not known."""
        return math.nan if math.isnan(self.error) else max(self.tolerance, self.critical)

    def detectable(self, power: float = POWER) -> float:
        """The smallest drop that is caught with a chance of ``power``."""
        return self.allowed + (float(stdtrit(self.df, power)) * self.error if self.error else 0.0)

    def caught(self, drop: float) -> float:
        """Chance that a drop is caught."""
        if not self.error:
            return float(drop > self.allowed)
        return float(stdtr(self.df, (drop - self.allowed) / self.error))


def grouped(entries: Iterable[Expected]) -> list[tuple[list[Expected], Scale]]:
    """The methods of each benchmark, setting and metric, and the scale of their values."""
    groups: dict[tuple[str, int, str | None, str], list[Expected]] = defaultdict(list)
    for entry in entries:
        groups[entry.benchmark, entry.version, entry.setting, entry.metric].append(entry)
    return [(some, scale_of(some[0].unit, (value for entry in some for value in entry.values))) for some in groups.values()]


def noises(entries: Iterable[Expected]) -> dict[Key, Noise]:
    """The noise of each entry that keeps its values; those of a benchmark, setting and metric lend each other strength."""
    found = {}
    for some, scale in grouped(entry for entry in entries if entry.values):
        cells = fit([entry.values for entry in some], scale)
        for entry, variance, df in zip(some, cells.variance, cells.df, strict=True):
            found[entry.key] = Noise(float(variance), float(df))
    return found


def alphas(entries: Collection[Expected]) -> dict[Key, float]:
    """The chance of a false alarm that each entry gets: together :data:`FALSE_ALARMS`, however they depend on each other."""
    primary = [entry.key for entry in entries if entry.primary]
    other = [entry.key for entry in entries if not entry.primary]
    share = PRIMARY_SHARE if primary and other else 1.0
    found = dict.fromkeys(primary, FALSE_ALARMS * share / max(len(primary), 1))
    return found | dict.fromkeys(other, FALSE_ALARMS * (1 - share if primary else 1.0) / max(len(other), 1))


def limit(entry: Expected, noise: Noise, alpha: float, n: int) -> Limit:
    """The limit of an entry.

    Args:
        n: seeds of the check.
    """
    return _limit(entry, noise, alpha, 1 / len(entry.values) + 1 / n if n else math.nan)


def between_machines(entry: Expected, noise: Noise, alpha: float, pairs: int) -> Limit:
    """The limit of the same trials on another machine, seed by seed.

    Args:
        pairs: seeds that both have.
    """
    return _limit(entry, noise, alpha, MACHINE**2 * 2 / pairs if pairs else math.nan)


def _limit(entry: Expected, noise: Noise, alpha: float, share: float) -> Limit:
    error = math.sqrt(noise.variance * share)
    return exact(entry) if math.isnan(error) and entry.given else Limit(entry.tolerance, error, noise.df, alpha)


def exact(entry: Expected) -> Limit:
    """The limit where a difference cannot be noise, or where a tolerance was given and noise is not known."""
    return Limit(entry.tolerance, 0.0, math.inf, 0.0)


def limits(entries: Sequence[Expected], known: Mapping[Key, Noise] | None = None) -> dict[Key, Limit]:
    """All limits, where every entry was measured by other code or on another machine, with as many seeds as it must have."""
    known = noises(entries) if known is None else known
    shares = alphas(entries)
    return {e.key: limit(e, known[e.key], shares[e.key], e.n) if e.values else exact(e) for e in entries}


def can_fail(entry: Expected, limit: Limit) -> bool:
    """Whether the loss of all that an entry has is caught with a chance of 80 %."""
    return limit.detectable() < entry.distance()


def seeds_needed(entry: Expected, noise: Noise, alpha: float) -> int | None:
    """Fewest seeds, of baseline and check, with which an entry could fail; ``None`` where not even :data:`MOST_SEEDS` would do."""
    n = len(entry.values)
    for more in range(n, MOST_SEEDS + 1):
        error = math.sqrt(noise.variance * 2 / more)
        if can_fail(entry, Limit(entry.tolerance, error, noise.df + more - n, alpha)):
            return more
    return None
