"""What a plugin tells observers, held against what they read (:func:`harness.slots.observe`)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from torch import Tensor

from harness.slots import READ, UNREAD

_MAPS = ("q", "k", "attention", "map")
"""What says something on its own; the others describe these."""

_OFF = 1e-2
"""How far over 1 a map may sum."""


def wrong(offered: dict[str, Any], slot: str, size: tuple[int, int]) -> str | None:
    """What no observer can read, as a clause.

    Args:
        offered: name -> value.
        slot: the plugin's.
        size: (H, W) of its input.
    """
    if offered and not offered.keys() & {*_MAPS, *UNREAD}:
        return "; ".join(_unknown(offered)) or f"{', '.join(offered)} describe an attention or a map, and none is offered"
    for name in _MAPS:
        if name in offered and offered[name].ndim != 4:
            return f"'{name}' has {offered[name].ndim} axes; it needs 4, see harness.slots.observe"
    if not isinstance(offered.get("keys", ""), str):
        return "'keys' is the word for what the keys are, see harness.slots.observe"
    return next(_grid(offered, size), None) if slot == "pooling" else None


def remarks(offered: dict[str, Any], slot: str, size: tuple[int, int]) -> Iterator[str]:
    """What observers can read, but may not have been meant; a clause each."""
    yield from _unknown(offered)
    if slot == "block":  # a gate may be coarser than what it gates
        yield from _grid(offered, size)
    if slot == "pooling" and isinstance(spatial := offered.get("map"), Tensor):
        sums = spatial.float().sum(dim=(-2, -1))
        if (spatial < 0).any():
            yield "the map has negative values"
        elif (sums > 1 + _OFF).any():  # a class token may keep a part for itself
            yield f"the map sums to {sums.max():.3g}, not to 1, so diagnostics scale it"


def _unknown(offered: dict[str, Any]) -> Iterator[str]:
    for name in sorted(offered.keys() - {*READ, *UNREAD}):
        meant = get_close_matches(name, _MAPS, 1) or ["map", "attention"]
        yield f"'{name}' is read by nobody; did you mean {' or '.join(meant)}?"


def _grid(offered: dict[str, Any], size: tuple[int, int]) -> Iterator[str]:
    if isinstance(spatial := offered.get("map"), Tensor) and tuple(spatial.shape[-2:]) != size:
        height, width = spatial.shape[-2:]
        yield f"the map is {height}x{width} where the input is {size[0]}x{size[1]}"
