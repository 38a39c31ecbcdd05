"""What attention did: its maps over test images, measures of it layer by layer and over the first epoch, paths of cameras.

Methods of one setting are pictured on the same test images, so that maps can stand side by side.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.diagnostics import Diagnostic, in_order

if TYPE_CHECKING:
    from harness.diagnostics.maps import Pictured

LAST = "last"
"""Stands for the last layer of each method that has a map, whatever it is called there."""

MEAN = "mean"
"""Stands for the mean over a layer's heads or maps."""

EVERY = "every"
"""Stands for every layer, or each head."""

UNIFORM = {
    "entropy": "entropy_uniform",
    "unary_entropy": "unary_entropy_uniform",
    "within_category_mass": "within_category_random",
    "boundary_mass": "boundary_random",
}
"""Measure -> what uniform attention gives."""

COURSES = {"entropy": "entropy", "purity": "purity", "qk_distance": "query-key distance"}
"""Measures that are followed over the first epoch, and how they are called."""


@dataclass(frozen=True)
class Map:
    """A map of one layer, of one head or the mean over them."""

    layer: str
    head: str
    """A number from 0, or :data:`MEAN`."""
    heads: int
    """How many the layer has, at most those that were kept."""
    values: np.ndarray
    """(rows, columns)."""

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return float(self.values.min()), float(self.values.max())

    @property
    def grid(self) -> str:
        """How many positions it has."""
        rows, columns = self.values.shape
        return f"{rows} × {columns}"


def layers(pictured: Iterable[Pictured]) -> list[str]:
    """The layers with maps of some trials, each once, in the order of the models."""
    return list(dict.fromkeys(layer for one in pictured for layer in one.maps))


def heads(pictured: Iterable[Pictured], layer: str) -> int:
    """The most heads that a layer has in any of some trials."""
    return max((len(maps) for one in pictured if (maps := one.maps.get(_named(one, layer), None)) is not None), default=0)


def _named(one: Pictured, layer: str) -> str:
    return next(reversed([*one.maps]), "") if layer == LAST else layer


def map_of(one: Pictured, layer: str = LAST, head: str = MEAN) -> Map | None:
    """The map of a layer over an image; ``None`` where the method has no such layer or head.

    Args:
        layer: a name, or :data:`LAST`.
        head: a number from 0, or :data:`MEAN`.
    """
    name = _named(one, layer)
    maps = one.maps.get(name)
    if maps is None or not maps.size:
        return None
    maps = np.nan_to_num(maps, posinf=0.0, neginf=0.0)
    if head == MEAN:
        return Map(name, head, len(maps), maps.mean(axis=0))
    index = int(head) if head.isdigit() and len(head) < 4 else len(maps)
    return Map(name, head, len(maps), maps[index]) if index < len(maps) else None


def chosen(one: Pictured, layer: str, head: str) -> list[list[Map]]:
    """The maps over an image that are asked for: a row per layer, a column per head. Layers and heads it has not are left out.

    Args:
        layer: a name, :data:`LAST` or :data:`EVERY`.
        head: a number from 0, :data:`MEAN` or :data:`EVERY`.
    """
    names = [*one.maps] if layer == EVERY else [_named(one, layer)]
    rows = []
    for name in names:
        heads = map(str, range(len(one.maps.get(name, ())))) if head == EVERY else [head]
        if row := [found for each in heads if (found := map_of(one, name, each))]:
            rows.append(row)
    return rows


def common_limits(maps: Iterable[Map]) -> tuple[float, float] | None:
    """The smallest and the largest value of all."""
    ends = [found.limits for found in maps]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None


PIXELS = 320
"""Of the longer side of a picture, at least."""

SHOWS = ("maps", "maps and predictions", "predictions")
"""What :func:`picture` may show."""

LEGEND = {
    "maps": "Colours from dark violet, the smallest value of a map, over green to yellow, the largest.",
    "maps and predictions": "White: true, as rings, frames and borders. Orange: predicted, as crosses, dashed frames and borders.",
    "predictions": "First what is true (white rings, frames), then what each method predicts (orange crosses, dashed frames).",
}
"""How each is read."""


def picture(
    one: Pictured, found: Map | None, shows: str, share: float, limits: tuple[float, float] | None = None, least: int = PIXELS
) -> np.ndarray:
    """An image for people to look at, (h, w, 3) uint8: with a map over it, and with what is true of it and what was predicted.

    Args:
        found: a map over it.
        shows: one of :data:`SHOWS`; predictions alone are those of the trial, without what is true.
        share: of the map's colours, 0 to 1.
        limits: the values of the first and the last colour; the map's own otherwise.
        least: pixels of the longer side.
    """
    from harness.diagnostics.overlays import enlarged, marked, overlays

    drawn = enlarged(one.image, least)
    if shows == "predictions":
        return marked(drawn, one.predicted, true=False)
    if found is not None:
        drawn = overlays(drawn, [found.values], share, limits)
    if shows == "maps":
        return drawn
    return marked(marked(drawn, one.true, true=True, outlines=True), one.predicted, true=False, outlines=True)


def truth(one: Pictured, shows: str) -> np.ndarray:
    """The image alone, with what is true of it where predictions are shown."""
    from harness.diagnostics.overlays import enlarged, marked

    drawn = enlarged(one.image, PIXELS)
    return drawn if shows == "maps" else marked(drawn, one.true, true=True)


def key(some: Iterable[Pictured]) -> np.ndarray | None:
    """The colours of the classes that occur, with their names; ``None`` where nothing drawn has one."""
    from harness.diagnostics import overlays

    return overlays.key(some, 340)


@dataclass(frozen=True)
class Point:
    """A measure of one method in one layer."""

    method: str
    layer: str
    mean: float
    ci95: tuple[float, float] | None
    values: tuple[float, ...]
    """One per seed."""
    uniform: float | None
    """What uniform attention gives there."""
    renormalised: bool
    """Whether the weights are no distribution, so that entropy took their shares of the absolute sum."""


@dataclass(frozen=True)
class Profile:
    """A measure of some methods layer by layer."""

    measure: str
    layers: tuple[str, ...]
    """In the order of the models."""
    points: tuple[Point, ...]


def measures(rows: Iterable[Diagnostic]) -> list[str]:
    """The measures of single layers, as they are shown, without those that say what uniform attention gives."""
    return in_order(row.measure for row in rows if row.layer and row.measure not in UNIFORM.values())


def ordered(rows: Iterable[Diagnostic]) -> list[str]:
    """All measures over all layers, as they are shown."""
    return in_order(row.measure for row in rows if row.layer is None)


def having(rows: Iterable[Diagnostic], measure: str, methods: Sequence[str]) -> list[str]:
    """Those of ``methods``, in their order, of which some layer has the measure."""
    found = {row.method for row in rows if row.measure == measure and row.layer and row.head is None}
    return [method for method in methods if method in found]


def profile(rows: Iterable[Diagnostic], measure: str, methods: Sequence[str]) -> Profile:
    """One measure of ``methods``, in their order."""
    rows = [row for row in rows if row.layer and row.head is None and row.method in methods]
    uniform = {(row.method, row.layer): row.summary.mean for row in rows if row.measure == UNIFORM.get(measure)}
    points = [
        Point(
            row.method,
            row.layer or "",
            row.summary.mean,
            row.summary.ci95,
            row.values,
            uniform.get((row.method, row.layer)),
            row.renormalised,
        )
        for row in rows
        if row.measure == measure
    ]
    points.sort(key=lambda point: methods.index(point.method))
    return Profile(measure, tuple(sorted({point.layer for point in points}, key=_by_number)), tuple(points))


def _by_number(layer: str) -> list[tuple[int, str]]:
    """``encoder.10`` behind ``encoder.9``."""
    return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in re.split(r"(\d+)", layer)]


@dataclass(frozen=True)
class Course:
    """A measure over the first epoch of one trial."""

    method: str
    seed: int
    digest: str
    layer: str | None
    """``None``: the mean over layers."""
    points: tuple[tuple[int, float], ...]
    """(iteration from 1, value)."""


def courses(curves: Mapping[tuple[str, int, str], Sequence[Mapping[str, Any]]], measure: str, layer: str | None = None) -> list[Course]:
    """A measure over the first epoch, one line per trial that recorded it.

    Args:
        curves: (method, seed, digest) -> rows of :func:`harness.analysis.diagnostics.curve`.
        layer: ``None`` for the mean over layers.
    """
    found = []
    for (method, seed, digest), rows in curves.items():
        values: dict[int, list[float]] = defaultdict(list)
        for row in rows:
            value = row.get(measure)
            if value is not None and np.isfinite(value) and layer in (None, row["layer"]):
                values[row["iteration"]].append(value)
        if values:
            points = tuple((iteration, float(np.mean(values[iteration]))) for iteration in sorted(values))
            found.append(Course(method, seed, digest, layer, points))
    return found


def mean_course(some: Sequence[Course]) -> tuple[tuple[int, float], ...]:
    """The mean over trials, at the iterations that all of them have."""
    points = [dict(course.points) for course in some]
    shared = sorted(set.intersection(*(set(values) for values in points))) if points else []
    return tuple((iteration, float(np.mean([values[iteration] for values in points]))) for iteration in shared)
