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


def _shares(boxes: Sequence[Box], tokens: int) -> np.ndarray:
    """(images, N) of :func:`covered`, over square grids."""
    import numpy as np

    side = round(tokens**0.5)
    return np.stack([covered(box, side, side).ravel() for box in boxes])


def on_object(weights: np.ndarray, boxes: Sequence[Box]) -> float:
    """Share of all ``weights`` that lies on the objects; NaN where there is no weight. Spread evenly, it is the objects' mean area.

    Args:
        weights: (images, N), not negative: masks, or attention, over square grids.
        boxes: one for each image.
    """
    total = float(weights.sum())
    return float((weights * _shares(boxes, weights.shape[1])).sum()) / total if total else float("nan")


def pointing(weights: np.ndarray, boxes: Sequence[Box]) -> float:
    """Share of the most weighted tokens that lies on the object: the pointing game of Zhang et al., IJCV 2018, over areas.

    Args:
        weights, boxes: as of :func:`on_object`; of tokens with the same weight the mean counts, so that a map that looks everywhere alike
            points at the object as often as its area says.
    """
    most = weights == weights.max(axis=1, keepdims=True)
    return float(((_shares(boxes, weights.shape[1]) * most).sum(axis=1) / most.sum(axis=1)).mean())


def by_region(losses: np.ndarray, mask: np.ndarray, boxes: Sequence[Box]) -> tuple[float, float]:
    """Mean loss of masked tokens on the object and beside it, each token by its area; NaN where nothing is masked.

    Args:
        losses: (images, N).
        mask: (images, N) of 0 and 1.
        boxes: one for each image.
    """
    share = _shares(boxes, mask.shape[1])
    areas = mask * share, mask * (1 - share)
    on, beside = (float((losses * some).sum()) / float(some.sum()) if some.any() else float("nan") for some in areas)
    return on, beside


def area(boxes: Sequence[Box]) -> float:
    """Mean share of the image's area that objects take."""
    return sum((right - left) * (bottom - top) for left, top, right, bottom in boxes) / len(boxes)
