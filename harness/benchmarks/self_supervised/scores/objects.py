"""How much of what is spread over a grid of tokens lies on an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from harness.benchmarks.self_supervised.synthetic import Box


def covered(box: Box, rows: int, columns: int) -> np.ndarray:
    """Share of each token's area that a box covers, (rows, columns)."""
    import numpy as np

    left, top, right, bottom = box

    def along(count: int, low: float, high: float) -> np.ndarray:
        edges = np.arange(count + 1)
        found: np.ndarray = np.clip(np.minimum(edges[1:], high * count) - np.maximum(edges[:-1], low * count), 0, 1)
        return found

    return np.outer(along(rows, top, bottom), along(columns, left, right))


def on_object(weights: np.ndarray, boxes: Sequence[Box]) -> float:
    """Share of all ``weights`` that lies on the objects; NaN where there is no weight. Spread evenly, it is the objects' mean area.

    Args:
        weights: (images, N), not negative: masks, or attention, over square grids.
        boxes: one for each image.
    """
    import numpy as np

    side = round(weights.shape[1] ** 0.5)
    share = np.stack([covered(box, side, side).ravel() for box in boxes])
    total = float(weights.sum())
    return float((weights * share).sum()) / total if total else float("nan")


def area(boxes: Sequence[Box]) -> float:
    """Mean share of the image's area that objects take."""
    return sum((right - left) * (bottom - top) for left, top, right, bottom in boxes) / len(boxes)
