"""MaxBoxAcc and MaxBoxAccV2: how well boxes around a score map's level sets hit the object, at the best threshold.

Choe, Oh, Lee, Chun, Akata, Shim: "Evaluating Weakly Supervised Object Localization Methods Right" (CVPR 2020,
clovaai/wsolevaluation) and its journal version, which adds V2. A map is thresholded at tau times its maximum; V2
compares *all* contours with the ground truth and averages over IoU 0.3, 0.5 and 0.7, the classic measure takes the
largest contour and IoU 0.5. The threshold is the one best for the whole test set, as published.
"""

from __future__ import annotations

import numpy as np

from harness.benchmarks.object_localization.boxes import iou_of_pixels, to_grey
from harness.benchmarks.object_localization.level_sets import LEVELS, contour_boxes

DELTAS = (0.3, 0.5, 0.7)
"""IoU a box must reach to count."""


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
    return iou_of_pixels(boxes, truth).max(axis=1)


class BoxAccuracy:
    """Accumulates maps one by one; see the module.

    Args:
        step: distance of two thresholds tau in [0, 1).
        classic: also compute MaxBoxAcc (slower: it traces contours level by level).
    """

    def __init__(self, step: float = 0.001, classic: bool = True) -> None:
        self.taus = np.arange(0, 1, step)
        self._classic = classic
        self._all: list[np.ndarray] = []
        self._largest: list[np.ndarray] = []
        self._peaks: list[int] = []

    def add(self, score: np.ndarray, truth: np.ndarray) -> None:
        """Add one image.

        Args:
            score: (H, W) in [0, 1], see :func:`~harness.benchmarks.object_localization.boxes.normalize`.
            truth: (G, 4) boxes in the map's pixels, see ``scale_to_grid``.
        """
        grey = to_grey(score)
        self._peaks.append(int(grey.max()))
        self._all.append(best_iou_per_level(grey, truth))
        if self._classic:
            self._largest.append(largest_iou_per_level(grey, truth))

    def _at_thresholds(self, per_level: list[np.ndarray]) -> np.ndarray:
        # every map has its own maximum, but all maps of the same maximum share their levels
        peaks = np.array(self._peaks)
        ious = np.empty((len(peaks), len(self.taus)))
        stacked = np.stack(per_level)
        for peak in np.unique(peaks):
            ious[peaks == peak] = stacked[peaks == peak][:, (self.taus * peak).astype(int)]
        return ious

    def all_contours(self) -> np.ndarray:
        """Best IoU over all contours: (images, thresholds)."""
        return self._at_thresholds(self._all)

    def largest_contour(self) -> np.ndarray:
        """IoU of the largest contour: (images, thresholds)."""
        return self._at_thresholds(self._largest)


def at_best_threshold(ious: np.ndarray, delta: float) -> tuple[float, int]:
    """The share of images (0 to 1) whose IoU reaches ``delta`` at the threshold best for all, and its index."""
    accuracy = (ious >= delta).mean(axis=0)
    best = int(accuracy.argmax())
    return float(accuracy[best]), best
