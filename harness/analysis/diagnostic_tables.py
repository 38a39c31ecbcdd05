"""Diagnostics as text: tables for 100 columns, CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.analysis.diagnostics import FLAG, JSON_FIELDS, Diagnostic, as_json, in_depth, in_order, parts
from harness.analysis.statistics import Summary
from harness.analysis.tables import WIDTH, aligned, latex_table, markdown_table

EXPLAINED = "~ weights that are no distribution (gates, dot products): the entropy of their shares of the absolute sum."
"""The mark of :func:`cell`."""


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"


def _mean_and_interval(summary: Summary) -> str:
    return _number(summary.mean) + ("" if summary.half_width is None else f" ± {_number(summary.half_width)}")


def _blocks(rows: Iterable[Diagnostic]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Heading -> header and body of one benchmark: a line per method, a column per measure over all layers."""
    grouped: dict[str, dict[str, dict[str, Diagnostic]]] = {}
    for row in rows:
        if row.layer is None:
            heading = f"{row.benchmark} v{row.version} · {row.family} · {row.tier} · diagnostics, means over layers and images"
            grouped.setdefault(heading, {}).setdefault(row.method, {})[row.measure] = row
    blocks = {}
    for heading, methods in grouped.items():
        measures = in_order(measure for found in methods.values() for measure in found)
        body = [
            [method, str(max(row.summary.n for row in found.values())), *(cell(found.get(measure)) for measure in measures)]
            for method, found in methods.items()
        ]
        blocks[heading] = (["method", "n", *measures], body)
    return blocks


def cell(row: Diagnostic | None) -> str:
    """``mean ± half-width``, with a mark where the weights are no distribution."""
    return "-" if row is None else _mean_and_interval(row.summary) + (" ~" if row.renormalised else "")


def _parted(header: Sequence[str], body: Sequence[Sequence[str]], kept: int) -> list[str]:
    """Lines of a table in at most 100 columns: what does not fit goes below, beside the first ``kept`` columns again.

    A line with nothing to say is left out.
    """
    lines: list[str] = []
    rest = list(range(kept, len(header)))
    while rest:
        count = len(rest)
        while True:
            columns = [*range(kept), *rest[:count]]
            part = aligned(
                [header[i] for i in columns], [[line[i] for i in columns] for line in body if any(line[i] != "-" for i in rest[:count])]
            )
            if count == 1 or max(map(len, part)) <= WIDTH:
                break
            count -= 1
        lines += ["", *part] if lines else part
        rest = rest[count:]
    return lines


def table(rows: Sequence[Diagnostic]) -> str:
    """A block per benchmark, methods in the order of the leaderboard."""
    blocks = ["\n".join([heading, *_parted(header, body, 2)]) for heading, (header, body) in _blocks(rows).items()]
    return "\n\n".join(blocks + _notes(rows))


def markdown(rows: Sequence[Diagnostic]) -> str:
    """A table per benchmark."""
    blocks = [f"### {heading}\n\n{markdown_table(header, body)}" for heading, (header, body) in _blocks(rows).items()]
    return "\n\n".join(blocks + [f"> {note}" for note in _notes(rows)])


def latex(rows: Sequence[Diagnostic]) -> str:
    """A ``booktabs`` table per benchmark."""
    return "\n\n".join(latex_table(heading, header, body) for heading, (header, body) in _blocks(rows).items())


def _notes(rows: Iterable[Diagnostic]) -> list[str]:
    return [EXPLAINED] if any(row.renormalised for row in rows) else []


def csv_text(rows: Sequence[Diagnostic]) -> str:
    """One line per row of the JSON; the interval has two columns, digests are joined by spaces."""
    fields = [name for field in JSON_FIELDS for name in (("ci95_low", "ci95_high") if field == "ci95" else (field,))]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([fields[0], "version", *fields[1:]])
    for row, plain in zip(rows, as_json(rows)["rows"], strict=True):
        low, high = plain["ci95"] or (None, None)
        values = [(plain | {"ci95_low": low, "ci95_high": high, "digests": " ".join(row.digests)})[field] for field in fields]
        writer.writerow([values[0], row.version, *values[1:]])
    return out.getvalue().rstrip("\n")


FORMATS: dict[str, Callable[[Sequence[Diagnostic]], str]] = {"table": table, "csv": csv_text, "md": markdown, "latex": latex}


def of_one_trial(diagnostics: Mapping[str, float]) -> str:
    """The diagnostics of one trial: a line per layer and head, a column per measure."""
    places: dict[tuple[str | None, int | None], dict[str, float]] = {}
    for name, value in diagnostics.items():
        measure, layer, head = parts(name)
        places.setdefault((layer, head), {})[measure] = value
    measures = in_order(measure for found in places.values() for measure in found if measure != FLAG)
    body = []
    for layer, head in in_depth(places):
        label = f"  head {head}" if head is not None else layer or "mean over layers"
        body.append([label, *(_number(places[layer, head].get(measure, math.nan)) for measure in measures)])
    return "\n".join(_parted(["layer", *measures], body, 1))
