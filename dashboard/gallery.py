"""Maps of the attention over one test image: methods side by side, or layers by heads; and the same as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import tables, text
from harness.analysis.numbers import MEASURE
from harness.analysis.views import attention as view

if TYPE_CHECKING:
    import numpy as np

    from harness.diagnostics.maps import Pictured

LAYERS = {view.LAST: "last of each method", view.EVERY: "every layer"}
HEADS = {view.MEAN: "mean", view.EVERY: "each"}
"""How the words of the view are read."""

_WIDE, _NARROW = 176, 112
"""Pixels of an image: two beside each other on a phone, or three."""

Draw = Callable[["Pictured", "view.Map"], "np.ndarray"]


@dataclass(frozen=True)
class Shown:
    """A trial, the image that is looked at, and its maps: a row per layer, a column per head."""

    method: str
    seed: int
    digest: str
    image: Pictured
    maps: list[list[view.Map]]

    @property
    def listed(self) -> list[view.Map]:
        return [each for row in self.maps for each in row]


def _row(pictures: Sequence[np.ndarray], captions: Sequence[Sequence[str]], width: int) -> None:
    told = ["  \n".join(text.escaped(line) for line in lines if line) for lines in captions]
    st.image([*pictures], caption=told, width=width, output_format="JPEG")


def draw(some: Sequence[Shown], truth: np.ndarray, picture: Draw, *, words: bool) -> None:
    """The maps.

    Args:
        truth: the image without a map.
        words: whether what was predicted is told below each.
    """
    first = some[0].image
    head = [f"test image {first.sample}", _short(first.true.text) if words else ""]
    if all(len(shown.listed) <= 1 for shown in some):
        there = [shown for shown in some if shown.listed]
        captions = [[shown.method, _short(shown.image.predicted.text) if words else ""] for shown in there]
        _row([truth, *(picture(shown.image, shown.listed[0]) for shown in there)], [head, *captions], _WIDE)
        return
    _row([truth], [head], _NARROW)
    for shown in some:
        st.subheader(text.escaped(shown.method), divider="grey")
        for row in shown.maps:
            st.text(row[0].layer)
            _row([picture(shown.image, each) for each in row], [[HEADS.get(each.head, each.head)] for each in row], _NARROW)


def _short(words: str) -> str:
    return words if len(words) <= 40 else ""


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
            "layer": each.layer,
            "head": HEADS.get(each.head, each.head),
            "least": each.limits[0],
            "most": each.limits[1],
            "grid": each.grid,
            "seed": shown.seed,
        }
        for shown, each in places
    ]
    if not any(record["predicted"] for record in records):
        records = [{name: value for name, value in record.items() if name != "predicted"} for record in records]
    tables.show(
        records,
        key="maps",
        numbers={"least": MEASURE, "most": MEASURE},
        columns={"least": "The smallest value of the map.", "most": "The largest value of the map."},
        opens=lambda row, _: opens(places[row][0].digest),
        rows=8,
        alt_text="The maps that are shown, with their layers and values",
    )
