"""Bounding boxes of the contours of a grey map at every level at once.

MaxBoxAccV2 thresholds a map at 1,000 values, but a map of 8 bits has at most 256 level sets, and from one level to
the next a level set only grows and merges. So instead of tracing contours a thousand times, the component tree is
built once: every pixel climbs to a local maximum (its *basin*), basins that touch are joined from the highest pass
down, and the extent of every basin at every level is one running maximum.
"""

from __future__ import annotations

import numpy as np

LEVELS = 255
"""A level set ``value > level`` of an 8-bit map can be non-empty for levels 0 to 254."""

_HALF_NEIGHBOURS = {4: ((0, 1), (1, 0)), 8: ((0, 1), (1, 0), (1, 1), (1, -1))}


def contour_boxes(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of all contours, outer ones and those of holes, of ``grey > level`` for every level.

    The foreground is 8-connected and a hole 4-connected, as in border following (Suzuki & Abe, CVGIP 1985). The
    contour of a hole runs through the foreground pixels around it, so its box is one pixel larger on each side.

    Args:
        grey: (H, W) uint8, at least two pixels wide and high.

    Returns:
        levels (M,) int and boxes (M, 4) int, x0 y0 x1 y1 of the first and the last pixel, both inclusive.
    """
    height, width = grey.shape
    outer_levels, outer = _component_boxes(grey, 8)
    # background at `level` is `255 - grey > 254 - level`
    hole_levels, holes = _component_boxes(255 - grey, 4)
    inside = (holes[:, 0] > 0) & (holes[:, 1] > 0) & (holes[:, 2] < width - 1) & (holes[:, 3] < height - 1)
    holes = holes[inside] + np.array([-1, -1, 1, 1])
    return np.concatenate([outer_levels, LEVELS - 1 - hole_levels[inside]]), np.concatenate([outer, holes])


def _component_boxes(values: np.ndarray, connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the connected components of ``values > level`` for every level; see :func:`contour_boxes`."""
    basin, peaks = _basins(values, connectivity)
    reach = _reach(values, basin, len(peaks))
    lowest = _merge(reach, *_passes(values, basin, len(peaks), connectivity))
    lengths = peaks - lowest
    branch = np.repeat(np.arange(len(peaks)), lengths)
    level = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - peaks, lengths)
    boxes = reach.transpose(0, 2, 1).reshape(-1, 4).take(branch * 256 + level + 1, axis=0)
    boxes[:, :2] *= -1
    return level, boxes


def _basins(values: np.ndarray, connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """The basin (H, W) of every pixel, numbered from 0, and the peak value of every basin.

    A pixel belongs to the maximum reached by climbing to the highest neighbour; among equal values the later pixel
    counts as higher, so plateaus climb as well.
    """
    import cv2

    size = values.size
    # every key is a whole number below 256 N, exact in float32 up to 2^24 and in float64 for any image
    dtype = np.float32 if 256 * size < 1 << 24 else np.float64
    position = np.arange(size, dtype=dtype).reshape(values.shape)
    kernel = np.ones((3, 3), np.uint8) if connectivity == 8 else np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    highest = cv2.dilate(values.astype(dtype) * size + position, kernel)
    goal = (highest - cv2.dilate(values, kernel).astype(dtype) * size).astype(np.int64).ravel()
    while True:
        further = goal.take(goal)
        if np.array_equal(further, goal):
            break
        goal = further
    tops = np.flatnonzero(goal == np.arange(size))
    number = np.empty(size, np.int64)
    number[tops] = np.arange(len(tops))
    return number.take(goal).reshape(values.shape), values.ravel()[tops].astype(np.int64)


def _reach(values: np.ndarray, basin: np.ndarray, count: int) -> np.ndarray:
    """How far the pixels of at least a value reach in every basin: (count, 4, 256) int32 of -x0, -y0, x1, y1."""
    height, width = values.shape
    reach = np.full((count, 4, 256), np.iinfo(np.int32).min, np.int32)
    flat = reach.reshape(-1)
    cell = basin * (4 * 256) + values
    # of several writes to a cell the last one stays, so the order of the pixels decides which extreme it holds
    by_row, by_column = cell.ravel(), cell.T.ravel()
    rows = np.repeat(np.arange(height, dtype=np.int32), width)
    columns = np.repeat(np.arange(width, dtype=np.int32), height)
    flat[by_column[::-1]] = -columns[::-1]
    flat[256:][by_row[::-1]] = -rows[::-1]
    flat[512:][by_column] = columns
    flat[768:][by_row] = rows
    return np.maximum.accumulate(reach[:, :, ::-1], axis=2)[:, :, ::-1]


def _passes(values: np.ndarray, basin: np.ndarray, count: int, connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (P, 2) of touching basins and the highest pass (P,) between them, highest first."""
    width = values.shape[1]
    grey, label = values.ravel(), basin.ravel()
    found = []
    for down, right in _HALF_NEIGHBOURS[connectivity]:
        offset = down * width + right
        near = np.flatnonzero(label[offset:] != label[:-offset])
        # pixels that the flat offset wraps to the next row are no neighbours
        column = near % width + right
        near = near[(column >= 0) & (column < width)]
        first, second = label[near], label[near + offset]
        pair = np.minimum(first, second) * count + np.maximum(first, second)
        found.append(pair * 256 + np.minimum(grey[near], grey[near + offset]))
    ranked = np.sort(np.concatenate(found))
    pair, height = ranked >> 8, ranked & 255
    highest = np.append(pair[1:] != pair[:-1], True)[: len(pair)] & (height > 0)
    pair, height = pair[highest], height[highest]
    order = np.argsort(-height, kind="stable")
    return np.stack(np.divmod(pair[order], count), axis=1), height[order]


def _merge(reach: np.ndarray, pairs: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Fold basins into each other below their passes (``reach``, in place).

    Returns:
        the lowest level (count,) at which each basin still is a component of its own.
    """
    parent = list(range(len(reach)))
    lowest = np.zeros(len(reach), np.int64)

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for (a, b), height in zip(pairs.tolist(), heights.tolist(), strict=True):
        kept, folded = root(a), root(b)
        if kept == folded:
            continue
        parent[folded] = kept
        lowest[folded] = height
        shared = slice(1, height + 1)
        np.maximum(reach[kept, :, shared], reach[folded, :, shared], out=reach[kept, :, shared])
    return lowest
