"""MaxBoxAccV2 by level sets against thresholding and contour tracing at every threshold, on the same maps in one run.

    python perf/localization_metrics.py [--maps 1000] [--thresholds 1000]

The peer is the procedure of the public WSOL evaluation, written straightforwardly: for each threshold
``cv2.threshold``, ``cv2.findContours``, a box per contour, and the IoU with the true boxes. A second peer collects the
boxes of all thresholds of an image and computes their IoU at once. All get the raw score maps; the accuracies must
agree to 1e-9.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np

from harness.benchmarks.object_localization.scores import DELTAS
from harness.benchmarks.object_localization.scores.boxes import iou_of_pixels, normalize, to_grey
from harness.benchmarks.object_localization.scores.maxboxacc import accuracy_curve, best_iou_per_level

SIDE = 224


def make(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Score maps as attention yields them, 7x7 or 14x14: bumps and noise; with one to three true boxes each."""
    rng = np.random.default_rng(0)
    maps = []
    for index in range(count):
        cells = (7, 14)[index % 2]
        y, x = np.mgrid[:cells, :cells] / cells
        score = 0.4 * rng.random((cells, cells))
        for _ in range(2):
            centre, spread = rng.random(2), rng.uniform(0.05, 0.3)
            score += np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * spread**2))
        boxes = np.sort(rng.integers(0, SIDE, (int(rng.integers(1, 4)), 2, 2)), axis=1).reshape(-1, 4)
        maps.append((score, boxes))
    return maps


def contours(image: np.ndarray, tau: float) -> np.ndarray:
    """Boxes (M, 4) of all contours at one threshold."""
    _, mask = cv2.threshold(image, int(tau * image.max()), 255, cv2.THRESH_BINARY)
    found = [cv2.boundingRect(contour) for contour in cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]]
    return np.array([(x, y, min(x + w, SIDE - 1), min(y + h, SIDE - 1)) for x, y, w, h in found] or [(0, 0, 0, 0)])


def per_threshold(maps: list[tuple[np.ndarray, np.ndarray]], taus: np.ndarray) -> list[float]:
    """Accuracy in percent at each IoU, one threshold at a time."""
    hits = np.zeros((len(DELTAS), len(taus)))
    for raw, truth in maps:
        image = to_grey(normalize(raw, (SIDE, SIDE)))
        best = np.array([iou_of_pixels(contours(image, tau), truth).max() for tau in taus])
        hits += best >= np.array(DELTAS)[:, None]
    return [100 * float(row.max()) / len(maps) for row in hits]


def per_image(maps: list[tuple[np.ndarray, np.ndarray]], taus: np.ndarray) -> list[float]:
    """The same with one IoU computation per image."""
    hits = np.zeros((len(DELTAS), len(taus)))
    for raw, truth in maps:
        image = to_grey(normalize(raw, (SIDE, SIDE)))
        boxes = [contours(image, tau) for tau in taus]
        starts = np.cumsum([0, *(len(part) for part in boxes[:-1])])
        best = np.maximum.reduceat(iou_of_pixels(np.concatenate(boxes), truth).max(axis=1), starts)
        hits += best >= np.array(DELTAS)[:, None]
    return [100 * float(row.max()) / len(maps) for row in hits]


def ours(maps: list[tuple[np.ndarray, np.ndarray]], taus: np.ndarray) -> list[float]:
    """The same by the harness."""
    grey = [to_grey(normalize(raw, (SIDE, SIDE))) for raw, _ in maps]
    per_level = np.array([best_iou_per_level(image, truth) for image, (_, truth) in zip(grey, maps, strict=True)])
    peaks = np.array([int(image.max()) for image in grey])
    return [100 * float(accuracy_curve(per_level, peaks, taus, delta).max()) for delta in DELTAS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--maps", type=int, default=1000)
    parser.add_argument("--thresholds", type=int, default=1000)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    maps, taus = make(arguments.maps), np.arange(arguments.thresholds) / arguments.thresholds
    contenders = {"contours, IoU per threshold": per_threshold, "contours, IoU per image": per_image, "level sets": ours}
    seconds, results = dict.fromkeys(contenders, 0.0), {name: [] for name in contenders}
    ours(maps[:10], taus)
    # in turns, so that other load on the machine falls on all of them
    for start in range(0, len(maps), 50):
        part = maps[start : start + 50]
        for name, function in contenders.items():
            begin = time.process_time()
            results[name] += function(part, taus)
            seconds[name] += time.process_time() - begin
    values = np.array(list(results.values()))
    difference = float(np.abs(values - values[-1]).max())
    print(f"{len(maps)} maps of {SIDE}x{SIDE}, {len(taus)} thresholds, one thread")
    for name, total in seconds.items():
        print(f"{name:30}{total:9.2f} CPU s{total / seconds['level sets']:9.1f} x")
    print(f"largest difference of any accuracy: {difference:.1e} points")
    if difference > 1e-9:
        raise SystemExit("the values differ")


if __name__ == "__main__":
    main()
