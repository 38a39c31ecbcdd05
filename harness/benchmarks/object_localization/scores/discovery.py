"""One box per image: from a score map by a threshold or by its mass (DINO-seg), or from features alone (LOST).

Boxes are extents: x1 and y1 lie one past the last cell. They are in cells of the map given; the caller scales them.
Whatever the rule, a map of zeros says nothing and its box is the whole map; so does one that is not finite.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from harness.benchmarks.object_localization.scores.boxes import finite, iou_of_extents, to_grey

THRESHOLDS = np.arange(0, 1, 0.01)
"""Candidates for the threshold of a single box, relative to a map's maximum."""

MASS = 0.6
"""Share of the attention that DINO-seg keeps."""


def box_at(score: np.ndarray, threshold: float) -> np.ndarray:
    """Box of the largest 8-connected component (by pixels) of ``score > threshold``; the whole map if nothing is.

    Args:
        score: (H, W) in [0, 1].
        threshold: tau, relative to the map's maximum.

    Returns:
        (4,) int64 x0 y0 x1 y1.
    """
    import cv2

    grey = to_grey(finite(score))
    mask = (grey > int(threshold * grey.max())).view(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if len(stats) == 1:
        return _whole(score)
    left, top, width, height, _ = stats[1:][stats[1:, cv2.CC_STAT_AREA].argmax()].tolist()
    return np.array([left, top, left + width, top + height])


def hits_per_threshold(score: np.ndarray, truth: np.ndarray, delta: float = 0.5) -> np.ndarray:
    """Whether the box at each of ``THRESHOLDS`` reaches IoU ``delta`` with a true box.

    Args:
        score: (H, W) in [0, 1].
        truth: (G, 4) extents on the map's grid.

    Returns:
        (len(THRESHOLDS),) bool.
    """
    boxes = np.stack([box_at(score, threshold) for threshold in THRESHOLDS])
    hits: np.ndarray = iou_of_extents(boxes, truth).max(axis=1) >= delta
    return hits


def calibrate(hits: np.ndarray) -> float:
    """The threshold that hits most often, given (images, len(THRESHOLDS)) hits; the middle one of several."""
    count = hits.sum(axis=0)
    best = np.flatnonzero(count == count.max())
    return float(THRESHOLDS[best[len(best) // 2]])


def dino_seg(attention: np.ndarray, *, mass: float = MASS, parity: bool = False) -> np.ndarray:
    """Box of the largest 4-connected component of the cells that hold ``mass`` of the attention.

    Caron et al. (ICCV 2021) as a box, as used by Siméoni et al. (BMVC 2021, valeoai/LOST).

    Args:
        attention: (h, w), not negative.
        parity: repeat the published code, which never looks at the last component and, where there is only one,
            takes the box of the background.

    Returns:
        (4,) int64 x0 y0 x1 y1 in cells.
    """
    flat = finite(attention).ravel()
    total = flat.sum()
    if total <= 0:
        return _whole(attention)
    order = np.argsort(flat, kind="stable")
    kept = np.empty(flat.size, bool)
    kept[order] = np.cumsum(flat[order] / total) > 1 - mass
    labels, count = ndimage.label(kept.reshape(attention.shape))
    considered = count - 1 if parity else count
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1 : considered + 1]
    chosen = int(sizes.argmax()) + 1 if len(sizes) else 0
    if not (labels == chosen).any():  # parity on a map without background, where the published code stops
        chosen = 1
    return _box(labels == chosen)


def lost(features: np.ndarray, *, patches: int = 100, standardize: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """LOST: the box around what resembles the patch with the fewest similar patches.

    Siméoni et al. (BMVC 2021, valeoai/LOST): A = F F^T; the seed is the patch positively correlated with the fewest
    others; among the ``patches`` lowest degrees those positively correlated with the seed vote, and the component of
    positive votes around the seed is the object.

    Args:
        features: (d, h, w) keys of the last self-attention, or a convolutional feature map.
        patches: how many patches of the lowest degree may join the seed (k).
        standardize: subtract the mean and divide by the deviation over all entries, as the published code does for
            convolutional features, which are not centred by themselves; keys of a transformer are taken as they are.

    Returns:
        the box (4,) int64 x0 y0 x1 y1 in cells, and the votes (h, w).
    """
    _, height, width = features.shape
    tokens = finite(features).reshape(features.shape[0], -1).T
    if standardize:
        tokens = (tokens - tokens.mean()) / np.sqrt(tokens.var() + 1e-5)
    similarity = tokens @ tokens.T
    positive = similarity > 0
    np.fill_diagonal(positive, False)
    order = np.argsort(positive.sum(axis=1), kind="stable")
    seed = order[0]
    candidates = order[:patches]
    votes = similarity[candidates[similarity[seed, candidates] > 0]].sum(axis=0).reshape(height, width)
    labels, _ = ndimage.label(votes > 0)
    own = labels.ravel()[seed]
    # a seed of zeros finds no voters
    return _box(labels == own) if own else _whole(votes), votes


def _whole(score: np.ndarray) -> np.ndarray:
    return np.array([0, 0, score.shape[1], score.shape[0]])


def _box(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
