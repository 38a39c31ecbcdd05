"""Methods over several benchmarks: mean ranks with their uncertainty, scores between floor and best, the critical-difference diagram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.analysis.numbers import NOTHING, RANK, SHARE, limits, number, p_value
from harness.analysis.overall.summary import Overall, Summary
from harness.report.boards import Strip
from harness.report.drawing import Axis, Tick

# The diagram has places in units of its own, since lines lead from ranks to names; the page scales it as a whole.
_WIDTH, _NAMES = 760, 215
_TOP, _ROW, _BAR = 62, 19, 8
_LONGEST_NAME = 30


@dataclass(frozen=True)
class Leader:
    """From a method's mean rank on the axis down to its name."""

    x: float
    y: float
    name: str
    """Cut where it is long."""
    whole: str
    rank: str
    left: bool


@dataclass(frozen=True)
class Diagram:
    """Demšar's critical-difference diagram (2006, J. Mach. Learn. Res. 7:1), best rank on the left."""

    width: float
    height: float
    names: float
    """Width of the names on either side; between them lies the axis."""
    axis: float
    """Height of the axis."""
    ticks: tuple[Tick, ...]
    critical: tuple[float, float]
    """The critical difference as a length, from the axis's best end."""
    critical_text: str
    bars: tuple[tuple[float, float, float], ...]
    """From, to and height: methods beside one bar cannot be told apart."""
    leaders: tuple[Leader, ...]


@dataclass(frozen=True)
class Ranked:
    """One method over all benchmarks of its table."""

    method: str
    rank: str
    strip: Strip
    seeds: str
    """Interval of the mean rank for other seeds."""
    benchmarks: str
    """For other benchmarks."""
    ranks: tuple[str, ...]
    """A cell per benchmark."""
    score: str
    score_limits: str


@dataclass(frozen=True)
class Across:
    """One table."""

    title: str
    sentence: str
    benchmarks: tuple[str, ...]
    wide: bool
    """Whether there are intervals for other benchmarks."""
    scored: bool
    axis: Axis
    lines: tuple[Ranked, ...]
    diagram: Diagram
    notes: tuple[str, ...]


def tables(summary: Summary) -> list[Across]:
    """A table per slot and budget of tuning."""
    return [_table(table) for table in summary.tables]


def _table(table: Overall) -> Across:
    count = len(table.methods)
    alike = "They differ" if table.ranks.p < 0.05 else "No difference between them is shown"
    axis = Axis(1, count)
    wide = table.mean.benchmarks
    lines = []
    for index, method in enumerate(table.methods):
        low, high = (float(end) for end in table.mean.seeds[index])
        mean = float(table.mean.mean[index])
        middle = table.middle[index] if table.middle else None
        lines.append(
            Ranked(
                method=method,
                rank=number(mean, RANK),
                strip=Strip((), axis.at(mean), (axis.at(low), axis.at(high))),
                seeds=limits((low, high), RANK),
                benchmarks="" if wide is None else limits((float(wide[index][0]), float(wide[index][1])), RANK),
                ranks=tuple(f"{rank:g}" for rank in table.ranks.ranks[:, index]),
                score=number(float(middle.value), SHARE) if middle else NOTHING,
                score_limits=limits((float(middle.low), float(middle.high)), SHARE) if middle else NOTHING,
            )
        )
    return Across(
        title=f"{table.slot or 'all slots'}: {count} methods over {len(table.benchmarks)} benchmarks{table.of_budget}",
        sentence=f"{alike} (Friedman, {p_value(table.ranks.p)}); {table.ranks.nemenyi}."
        + (f" All on {table.device}." if table.device else ""),
        benchmarks=table.benchmarks,
        wide=wide is not None,
        scored=table.middle is not None,
        axis=axis,
        lines=tuple(lines),
        diagram=_diagram(table.methods, [float(mean) for mean in table.ranks.mean], table.ranks.critical_difference, table.ranks.cliques),
        notes=table.notes,
    )


def _diagram(methods: Sequence[str], means: Sequence[float], critical: float, cliques: Sequence[Sequence[int]]) -> Diagram:
    """Of methods in the order of their mean ranks."""
    count = len(methods)

    def x(rank: float) -> float:
        return round(_NAMES + (_WIDTH - 2 * _NAMES) * (min(rank, count) - 1) / (count - 1), 1)

    bars = tuple(
        (x(means[clique[0]]) - 4, x(means[clique[-1]]) + 4, float(_TOP + 10 + _BAR * place)) for place, clique in enumerate(cliques)
    )
    below = _TOP + 10 + _BAR * len(bars) + 12
    half = (count + 1) // 2
    leaders = []
    for index, (method, mean) in enumerate(zip(methods, means, strict=True)):
        left = index < half
        row = index if left else count - 1 - index
        name = method if len(method) <= _LONGEST_NAME else f"{method[: _LONGEST_NAME - 1]}…"
        leaders.append(Leader(x(mean), float(below + _ROW * row), name, method, number(mean, RANK), left))
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if count / step <= 16)
    ticks = tuple(Tick(x(rank), str(rank)) for rank in range(1, count + 1) if rank == 1 or rank % step == 0)
    ticks = (*ticks[:1], *(after for before, after in pairwise(ticks) if after.at - before.at > 12))
    beyond = " (longer than the axis)" if critical > count - 1 else ""
    return Diagram(
        width=_WIDTH,
        height=float(below + _ROW * half),
        names=_NAMES,
        axis=_TOP,
        ticks=ticks,
        critical=(x(1), x(1 + critical)),
        critical_text=f"critical difference {number(critical, RANK)}{beyond}",
        bars=bars,
        leaders=tuple(leaders),
    )
