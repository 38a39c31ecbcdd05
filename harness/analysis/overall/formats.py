"""Tables over several benchmarks as text and as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.analysis.numbers import RANK, SHARE, limits, number, p_value
from harness.analysis.overall.summary import THRESHOLDS, Overall, Summary
from harness.analysis.settings import CHOICE
from harness.analysis.tables import WIDTH, commented, csv_table, filled, latex_table, markdown_table, markdown_text, parted

_LEGEND = (
    "rank: mean over the benchmarks, 1 is best; seeds: its 95 % interval for other seeds on these benchmarks; benchmarks: for other "
    "benchmarks of their kind (5 or more are needed). Methods that share a letter cannot be told apart over benchmarks (Nemenyi, 95 %).",
)
_SCORES = (
    "score: interquartile mean of (value - floor)/(best mean - floor) over seeds and benchmarks, with its 95 % interval for other seeds; "
    "> 0.5: share of such scores above 0.5.",
)


@dataclass(frozen=True)
class _Part:
    """A table with what stands above it."""

    heading: str
    header: list[str]
    body: list[list[str]]


def _begun(table: Overall) -> str:
    return f"{table.slot}: " if table.slot else ""


def _parts(table: Overall) -> list[_Part]:
    numbers = [str(number) for number in range(1, len(table.benchmarks) + 1)]
    listed = " · ".join(f"{number} {name}" for number, name in zip(numbers, table.benchmarks, strict=True))
    alike = "they differ" if table.ranks.p < 0.05 else "no difference between them is shown"
    where = f" on {table.device}" if table.device else ""
    heading = [
        f"{_begun(table)}{len(table.methods)} methods over {len(table.benchmarks)} benchmarks{where}{table.of_budget}",
        listed,
        f"{alike} (Friedman, {p_value(table.ranks.p)}); {table.ranks.nemenyi}",
    ]
    wide = [] if table.mean.benchmarks is None else [table.mean.benchmarks]
    body = [
        [
            number(table.mean.mean[index], RANK),
            method,
            table.ranks.letters[index],
            *(limits(tuple(ends[index]), RANK) for ends in (table.mean.seeds, *wide)),
            *(f"{rank:g}" for rank in table.ranks.ranks[:, index]),
        ]
        for index, method in enumerate(table.methods)
    ]
    parts = [_Part("\n".join(heading), ["rank", "method", "tied", "seeds", *(["benchmarks"] if wide else []), *numbers], body)]
    if table.middle is not None and table.profile is not None:
        lines = [
            [
                method,
                number(float(middle.value), SHARE),
                limits((float(middle.low), float(middle.high)), SHARE),
                *(number(float(share), SHARE) for share in profile.value),
            ]
            for method, middle, profile in zip(table.methods, table.middle, table.profile, strict=True)
        ]
        parts.append(
            _Part(
                f"{_begun(table)}scores between floor and best{table.of_budget}",
                ["method", "score", "95 %", *(f"> {t:g}" for t in THRESHOLDS)],
                lines,
            )
        )
    return parts


def _legend(summary: Summary) -> list[str]:
    scored = any(table.middle is not None for table in summary.tables)
    tuned = any(table.budget for table in summary.tables)
    return [*(_LEGEND if summary.tables else ()), *(_SCORES if scored else ()), *([CHOICE] if tuned else ())]


def _notes(summary: Summary) -> list[str]:
    told = [(", ".join(filter(None, [table.slot, table.budget])), note) for table in summary.tables for note in table.notes]
    return [*(f"{where}: {note}" if where else note for where, note in told), *summary.notes]


def table(summary: Summary, width: int | None = WIDTH) -> str:
    """For a terminal; lines of text above and below tables fit the width."""
    parts = [part for some in summary.tables for part in _parts(some)]
    blocks = ["\n".join([filled(part.heading, width), *parted(part.header, part.body, 2, width)]) for part in parts]
    blocks += ["\n".join(filled(line, width) for line in legend)] if (legend := _legend(summary)) else []
    return "\n\n".join([*blocks, *(filled(f"note: {note}", width) for note in _notes(summary))])


def markdown(summary: Summary) -> str:
    """A table per slot, and one of scores."""
    blocks = []
    for part in (part for some in summary.tables for part in _parts(some)):
        title, *lines = map(markdown_text, part.heading.splitlines())
        blocks += [f"### {title}", *lines, markdown_table(part.header, part.body)]
    blocks += ["\n".join(f"> {line}" for line in legend)] if (legend := _legend(summary)) else []
    return "\n\n".join([*blocks, *(f"> {markdown_text(note)}" for note in _notes(summary))])


def latex(summary: Summary) -> str:
    """``booktabs`` tables."""
    parts = [part for some in summary.tables for part in _parts(some)]
    return "\n\n".join(commented(part.heading.replace("\n", " · "), latex_table(part.header, part.body)) for part in parts)


def csv_text(summary: Summary) -> str:
    """A line per slot, budget and method: the fields of the JSON's methods."""
    header = [
        "slot",
        "budget",
        "method",
        "rank",
        "seeds_low",
        "seeds_high",
        "benchmarks_low",
        "benchmarks_high",
        "score",
        "score_low",
        "score_high",
    ]
    body = []
    for some in as_json(summary)["overall"]:
        for line in some["methods"]:
            ends = [end for name in ("seeds", "benchmarks") for end in line[name] or (None, None)]
            body.append(
                [some["slot"], some["budget"], line["method"], line["rank"], *ends, line["score"], *(line["score_ci95"] or (None, None))]
            )
    return csv_table(header, body)


def as_json(summary: Summary) -> dict[str, Any]:
    """As plain data (docs/json.md)."""
    return {"overall": [_plain(table) for table in summary.tables], "notes": _notes(summary)}


def _plain(table: Overall) -> dict[str, Any]:
    def of(index: int, method: str) -> dict[str, Any]:
        middle = table.middle[index] if table.middle else None
        profile = table.profile[index] if table.profile else None
        return {
            "method": method,
            "rank": float(table.mean.mean[index]),
            "seeds": table.mean.seeds[index].tolist(),
            "benchmarks": None if table.mean.benchmarks is None else table.mean.benchmarks[index].tolist(),
            "ranks": table.ranks.ranks[:, index].tolist(),
            "score": None if middle is None else float(middle.value),
            "score_ci95": None if middle is None else [float(middle.low), float(middle.high)],
            "profile": None if profile is None else {f"{t:g}": float(share) for t, share in zip(THRESHOLDS, profile.value, strict=True)},
        }

    return {
        "slot": table.slot,
        "device": table.device,
        "budget": table.budget,
        "benchmarks": list(table.benchmarks),
        "p": table.ranks.p,
        "critical_difference": table.ranks.critical_difference,
        "tied": [[table.methods[index] for index in clique] for clique in table.ranks.cliques],
        "methods": [of(index, method) for index, method in enumerate(table.methods)],
        "missing": [lacks.plain() for lacks in table.missing],
    }


FORMATS = {"md": markdown, "latex": latex, "csv": csv_text}
