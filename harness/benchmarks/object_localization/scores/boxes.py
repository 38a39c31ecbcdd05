"""Boxes, their intersections over union, and the score maps they come from."""

from __future__ import annotations

import numpy as np


def iou_of_pixels(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes whose corners are pixels, both inclusive (the "+1" convention of WSOL).

    Args:
        boxes: (M, 4) x0 y0 x1 y1.
        truth: (G, 4).

    Returns:
        (M, G) float64.
    """
    return _iou(boxes, truth, 1.0)


def iou_of_extents(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes as continuous extents, x1 and y1 exclusive (CorLoc); 0 where both are empty.

    Args:
        boxes: (M, 4) x0 y0 x1 y1.
        truth: (G, 4).

    Returns:
        (M, G) float64.
    """
    return _iou(boxes, truth, 0.0)


def _iou(boxes: np.ndarray, truth: np.ndarray, end: float) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64)[:, None]
    truth = np.asarray(truth, np.float64)[None]
    overlap = np.minimum(boxes[..., 2:], truth[..., 2:]) - np.maximum(boxes[..., :2], truth[..., :2]) + end
    shared = np.maximum(overlap, 0).prod(axis=-1)
    union = (boxes[..., 2:] - boxes[..., :2] + end).prod(axis=-1) + (truth[..., 2:] - truth[..., :2] + end).prod(axis=-1) - shared
    iou: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def scale_to_grid(boxes: np.ndarray, size: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """Ground-truth boxes of an image of ``size`` on a grid, coordinates truncated to whole pixels.

    Args:
        boxes: (G, 4) x0 y0 x1 y1 in pixels of the image.
        size: (width, height) of the image.
        grid: (width, height) of the grid.

    Returns:
        (G, 4) int64.
    """
    # multiplied before divided: the order decides the last bit and with it, now and then, the truncation
    return (np.asarray(boxes, np.float64) * np.array(grid * 2, np.float64) / np.array(size * 2, np.float64)).astype(np.int64)


def finite(score: np.ndarray) -> np.ndarray:
    """A map as float64; zeros, which say nothing, if any of it is not finite (the convention of the WSOL evaluation)."""
    score = np.asarray(score, np.float64)
    return score if np.isfinite(score).all() else np.zeros_like(score)


def normalize(score: np.ndarray, grid: tuple[int, int], extent: tuple[int, int] | None = None) -> np.ndarray:
    """A score map on an evaluation grid: bicubic, then min-max to [0, 1]; a constant or non-finite map becomes zeros.

    Args:
        score: (h, w), any resolution.
        grid: (width, height).
        extent: (width, height) on that grid of what the map covers, where the image was padded on its right and bottom.

    Returns:
        (height, width) float64.
    """
    import cv2

    resized = cv2.resize(finite(score), extent or grid, interpolation=cv2.INTER_CUBIC)[: grid[1], : grid[0]]
    low, high = resized.min(), resized.max()
    if low == high:
        return np.zeros_like(resized)
    shifted = resized - low
    scaled: np.ndarray = shifted / shifted.max()
    return scaled


def to_grey(score: np.ndarray) -> np.ndarray:
    """A map in [0, 1] as 8 bits, truncated as the WSOL evaluation does."""
    return (score * 255).astype(np.uint8)
