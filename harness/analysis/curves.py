"""The learning curves of a trial as a small table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.analysis.numbers import exact

if TYPE_CHECKING:
    import numpy as np

_MOST = 10
"""Epochs that are shown."""


def table(curves: Mapping[str, np.ndarray], primary: str) -> tuple[list[str], list[list[str]]]:
    """The loss and the primary metric on the validation split: headings and rows.

    The epochs are those of the validations, or some of the training's where there is none.

    Args:
        curves: see :attr:`harness.outcome.Outcome.curves`.
    """
    chosen = [name for name in ("loss", f"val/{primary}") if name in curves]
    epochs: list[float] = curves[chosen[-1]][:, 0].tolist() if chosen else []
    last = len(epochs) - 1
    places = {round(index * last / (_MOST - 1)) for index in range(_MOST)} if last >= _MOST else {*range(len(epochs))}
    shown = [epochs[place] for place in sorted(places)]
    rows = []
    for name in chosen:
        values = dict(curves[name].tolist())
        rows.append([name, *(exact(values.get(epoch)) for epoch in shown)])
    return ["epoch", *(f"{epoch:.0f}" for epoch in shown)], rows
