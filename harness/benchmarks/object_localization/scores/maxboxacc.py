"""MaxBoxAcc and MaxBoxAccV2: how well boxes around a score map's level sets hit the object, at the best threshold.

Choe, Oh, Lee, Chun, Akata, Shim: "Evaluating Weakly Supervised Object Localization Methods Right" (CVPR 2020,
clovaai/wsolevaluation) and its journal version, which adds V2. A map is thresholded at tau times its maximum; V2
compares *all* contours with the ground truth and averages over IoU 0.3, 0.5 and 0.7, the classic measure takes the
largest contour and IoU 0.5. The threshold is the one best for the whole test set, as published.
"""

from __future__ import annotations

import numpy as np

from harness.benchmarks.object_localization.scores.boxes import iou_of_pixels
from harness.benchmarks.object_localization.scores.level_sets import LEVELS, contour_boxes


def best_iou_per_level(grey: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Best IoU between any contour's box of ``grey > level`` and any true box, for each level.

    A box ends one pixel after its contour, clipped to the map; a level without a contour has the box (0, 0, 0, 0).

    Args:
        grey: (H, W) uint8.
        truth: (G, 4) x0 y0 x1 y1 in the map's pixels.

    Returns:
        (LEVELS,) float64.
    """
    height, width = grey.shape
    levels, boxes = contour_boxes(grey)
    boxes[:, 2] = np.minimum(boxes[:, 2] + 1, width - 1)
    boxes[:, 3] = np.minimum(boxes[:, 3] + 1, height - 1)
    best = np.zeros(LEVELS)
    best[int(grey.max()) :] = iou_of_pixels(np.zeros((1, 4)), truth).max()
    np.maximum.at(best, levels, iou_of_pixels(boxes, truth).max(axis=1))
    return best


def largest_iou_per_level(grey: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """As :func:`best_iou_per_level`, with the contour that encloses the largest polygon only (the classic measure)."""
    import cv2

    height, width = grey.shape
    boxes = np.zeros((LEVELS, 4), np.int64)
    for level in range(int(grey.max())):
        contours = cv2.findContours((grey > level).view(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        x, y, w, h = cv2.boundingRect(contours[0] if len(contours) == 1 else max(contours, key=cv2.contourArea))
        boxes[level] = x, y, min(x + w, width - 1), min(y + h, height - 1)
    best: np.ndarray = iou_of_pixels(boxes, truth).max(axis=1)
    return best


def levels_at(taus: np.ndarray, peak: int) -> np.ndarray:
    """The level of an 8-bit map of maximum ``peak`` that each threshold means."""
    return (taus * peak).astype(int)


def accuracy_curve(per_level: np.ndarray, peaks: np.ndarray, taus: np.ndarray, delta: float) -> np.ndarray:
    """The share of images whose IoU reaches ``delta`` at each threshold.

    Args:
        per_level: (images, LEVELS) IoU of each image at each level.
        peaks: (images,) maximum of each 8-bit map.
        taus: (T,) thresholds relative to the maximum, in [0, 1).

    Returns:
        (T,) in [0, 1].
    """
    hits = np.zeros(len(taus), np.int64)
    for peak in np.unique(peaks):
        # maps of one maximum share their levels; all maps but empty ones have the maximum 255
        hits += (per_level[peaks == peak] >= delta).sum(axis=0)[levels_at(taus, peak)]
    return hits / len(per_level)
