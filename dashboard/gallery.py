"""Maps of the attention over one test image: methods side by side, or layers by heads; and the same as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import tables, text
from harness.analysis.views import attention as view

if TYPE_CHECKING:
    import numpy as np

    from harness.diagnostics.maps import Marks, Pictured

LAYERS = {view.LAST: "last of each method", view.EVERY: "every layer"}
HEADS = {view.MEAN: "mean", view.EVERY: "each"}
"""How the words of the view are read."""

_WIDE, _NARROW = 176, 88
"""Pixels of an image: two beside each other on a phone, or four."""

_ROWS = 20
"""Of layers, on one page."""

Draw = Callable[["Pictured", "view.Map | None", int], "np.ndarray"]
"""Image, map over it, pixels."""


@dataclass(frozen=True)
class Shown:
    """A trial, the image that is looked at, and its maps: a row per layer, a column per head; ``None`` is the image without a map."""

    method: str
    seed: int
    digest: str
    image: Pictured
    maps: list[list[view.Map]] | list[list[None]]

    @property
    def listed(self) -> list[view.Map | None]:
        return [each for row in self.maps for each in row]


def _tile(picture: np.ndarray, lines: Sequence[str], width: int) -> None:
    caption = "  \n".join(text.escaped(line) for line in lines if line) or None
    with st.container(width=width):
        st.image(picture, caption=caption, width=width, output_format="JPEG")


def draw(some: Sequence[Shown], truth: np.ndarray, picture: Draw) -> None:
    """The maps: one of each method side by side, or a row per layer with its heads.

    Args:
        truth: the image without a map.
    """
    first = some[0].image
    head = [f"test image {first.sample}", _words(first.true)]
    if all(len(shown.listed) <= 1 for shown in some):
        with st.container(horizontal=True, gap="small"):
            _tile(truth, head, _WIDE)
            for shown in some:
                for each in shown.listed:
                    _tile(picture(shown.image, each, 2 * _WIDE), [shown.method, _words(shown.image.predicted)], _WIDE)
        return
    _tile(truth, head, _WIDE)
    rows = 0
    for shown in some:
        rows += len(shown.maps)
        if rows > _ROWS and shown is not some[0]:
            text.show(f"Not drawn, as the page would be too long: {shown.method} and those after it. Choose fewer methods, or one layer.")
            return
        st.subheader(text.escaped(shown.method), divider="grey")
        for row in shown.maps:
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                text.show(row[0].layer if row[0] else "no map", width=300)
                for each in row:
                    _tile(picture(shown.image, each, 2 * _NARROW), [], _NARROW)


def _words(marks: Marks) -> str:
    """What is told below an image: a class or a pose; what label maps hold, they show themselves."""
    return marks.text if marks.labels is None else ""


def _numbers(found: view.Map) -> dict[str, str | float]:
    least, most = found.limits
    return {"layer": found.layer, "head": HEADS.get(found.head, found.head), "least": least, "most": most, "grid": found.grid}


def table(some: Sequence[Shown], opens: Callable[[str], tuple[str, Mapping[str, str]]]) -> None:
    """The same as text; a click on a row leads to its trial.

    Args:
        opens: a trial's digest -> page and parameters.
    """
    places = [(shown, each) for shown in some for each in shown.listed]
    records = [
        {
            "method": shown.method,
            "predicted": shown.image.predicted.text or None,
            **(_numbers(each) if each else {}),
            "seed": shown.seed,
        }
        for shown, each in places
    ]
    if not records:
        return
    if not any(record["predicted"] for record in records):
        records = [{name: value for name, value in record.items() if name != "predicted"} for record in records]
    tables.show(
        records,
        key="maps",
        numbers={"least": "", "most": ""},
        columns={"least": "The smallest value of the map.", "most": "The largest value of the map."},
        opens=lambda row, _: opens(places[row][0].digest),
        rows=8,
        alt_text="The maps that are shown, with their layers and values",
    )
