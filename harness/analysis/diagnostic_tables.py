"""Diagnostics as text: aligned tables, CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.analysis.diagnostics import FLAG, JSON_FIELDS, Diagnostic, as_json, in_depth, in_order, parts
from harness.analysis.numbers import MEASURE, NOTHING, estimate, number
from harness.analysis.tables import WIDTH, commented, csv_table, filled, latex_table, markdown_table, markdown_text, parted

EXPLAINED = "~ weights that are no distribution (gates, dot products): the entropy of their shares of the absolute sum."
"""The mark of :func:`cell`."""

OF_ALL = "mean over layers"


def _blocks(rows: Iterable[Diagnostic]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Heading -> header and body of one benchmark: a line per method, a column per measure over all layers."""
    grouped: dict[str, dict[str, dict[str, Diagnostic]]] = {}
    for row in rows:
        if row.layer is None:
            differs = f" · {row.differs}" if row.differs else ""
            heading = f"{row.benchmark} v{row.version} · {row.family} · {row.tier} · diagnostics, means over layers and images{differs}"
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
    if row is None:
        return NOTHING
    return estimate(row.summary.mean, row.summary.ci95, MEASURE) + (" ~" if row.renormalised else "")


def table(rows: Sequence[Diagnostic], width: int | None = WIDTH) -> str:
    """A block per benchmark, methods in the order of the leaderboard; ``width`` as in :func:`harness.analysis.formats.table`."""
    blocks = ["\n".join([filled(heading, width), *parted(header, body, 2, width)]) for heading, (header, body) in _blocks(rows).items()]
    return "\n\n".join(blocks + _notes(rows))


def markdown(rows: Sequence[Diagnostic]) -> str:
    """A table per benchmark."""
    blocks = [f"### {markdown_text(heading)}\n\n{markdown_table(header, body)}" for heading, (header, body) in _blocks(rows).items()]
    return "\n\n".join(blocks + [f"> {note}" for note in _notes(rows)])


def latex(rows: Sequence[Diagnostic]) -> str:
    """A ``booktabs`` table per benchmark."""
    return "\n\n".join(commented(heading, latex_table(header, body)) for heading, (header, body) in _blocks(rows).items())


def _notes(rows: Iterable[Diagnostic]) -> list[str]:
    return [EXPLAINED] if any(row.renormalised for row in rows) else []


def csv_text(rows: Sequence[Diagnostic]) -> str:
    """One line per row of the JSON; the interval has two columns, digests are joined by spaces."""
    fields = [name for field in JSON_FIELDS for name in (("ci95_low", "ci95_high") if field == "ci95" else (field,))]
    body = []
    for row, plain in zip(rows, as_json(rows)["rows"], strict=True):
        low, high = plain["ci95"] or (None, None)
        values = [(plain | {"ci95_low": low, "ci95_high": high, "digests": " ".join(row.digests)})[field] for field in fields]
        body.append([values[0], row.version, *values[1:]])
    return csv_table([fields[0], "version", *fields[1:]], body)


FORMATS: dict[str, Callable[[Sequence[Diagnostic]], str]] = {"csv": csv_text, "md": markdown, "latex": latex}


def values(diagnostics: Mapping[str, float]) -> tuple[list[str], dict[tuple[str | None, int | None], dict[str, float | None]]]:
    """The diagnostics of one trial: its measures, and for each (layer, head) their values in that order; ``None`` where it has none."""
    places: dict[tuple[str | None, int | None], dict[str, float]] = {}
    for name, value in diagnostics.items():
        measure, layer, head = parts(name)
        places.setdefault((layer, head), {})[measure] = value
    measures = in_order(measure for found in places.values() for measure in found if measure != FLAG)
    return measures, {place: {measure: places[place].get(measure) for measure in measures} for place in in_depth(places)}


def by_place(diagnostics: Mapping[str, float]) -> tuple[list[str], dict[tuple[str | None, int | None], list[str]]]:
    """The same as texts."""
    measures, places = values(diagnostics)
    return measures, {place: [number(value, MEASURE) for value in found.values()] for place, found in places.items()}


def of_one_trial(diagnostics: Mapping[str, float], width: int | None = WIDTH) -> str:
    """A table of one trial: a line per layer and head, a column per measure."""
    measures, places = by_place(diagnostics)

    def label(layer: str | None, head: int | None) -> str:
        beside = "" if width else layer or ""  # a line that is read alone names its layer
        return layer or OF_ALL if head is None else f"{beside}  head {head}"

    body = [[label(*place), *texts] for place, texts in places.items()]
    return "\n".join(parted(["layer", *measures], body, 1, width))
