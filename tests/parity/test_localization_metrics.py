"""Localization metrics against slow references written from their definitions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from harness.benchmarks.object_localization.scores import DELTAS
from harness.benchmarks.object_localization.scores.boxes import iou_of_extents, iou_of_pixels, normalize, scale_to_grid, to_grey
from harness.benchmarks.object_localization.scores.discovery import box_at, calibrate, dino_seg, lost
from harness.benchmarks.object_localization.scores.level_sets import LEVELS, contour_boxes
from harness.benchmarks.object_localization.scores.maxboxacc import (
    accuracy_curve,
    best_iou_per_level,
    largest_iou_per_level,
)

TAUS = np.arange(0, 1, 0.001)


def random_map(rng: np.random.Generator, kind: str, height: int, width: int) -> np.ndarray:
    """A grey map: smooth (as attention is), noise, few levels (plateaus and holes), or rings."""
    if kind == "noise":
        return rng.integers(0, 256, (height, width), dtype=np.uint8)
    if kind == "plateaus":
        return (rng.integers(0, 4, (height, width)) * 85).astype(np.uint8)
    if kind == "rings":
        y, x = np.mgrid[:height, :width]
        return (127 + 127 * np.cos(np.hypot(y - height / 2, x - width / 3))).astype(np.uint8)
    return to_grey(normalize(rng.random((5, 4)), (width, height)))


def components(mask: np.ndarray, diagonal: bool) -> list[list[tuple[int, int]]]:
    """Connected components by flood fill."""
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)] + ([(1, 1), (1, -1), (-1, 1), (-1, -1)] if diagonal else [])
    seen, found = set(), []
    for start in zip(*np.nonzero(mask), strict=True):
        if start in seen:
            continue
        seen.add(start)
        stack, pixels = [start], []
        while stack:
            y, x = stack.pop()
            pixels.append((y, x))
            for dy, dx in steps:
                near = (y + dy, x + dx)
                if 0 <= near[0] < mask.shape[0] and 0 <= near[1] < mask.shape[1] and mask[near] and near not in seen:
                    seen.add(near)
                    stack.append(near)
        found.append(pixels)
    return found


def boxes_by_flood_fill(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Outer contours, and contours of holes, which run through the pixels around the hole."""
    height, width = mask.shape
    boxes = []
    for pixels in components(mask, diagonal=True):
        y, x = np.array(pixels).T
        boxes.append((x.min(), y.min(), x.max(), y.max()))
    for pixels in components(~mask, diagonal=False):
        y, x = np.array(pixels).T
        if x.min() > 0 and y.min() > 0 and x.max() < width - 1 and y.max() < height - 1:
            boxes.append((x.min() - 1, y.min() - 1, x.max() + 1, y.max() + 1))
    return sorted(tuple(int(v) for v in box) for box in boxes)


@pytest.mark.parametrize("kind", ["smooth", "noise", "plateaus", "rings"])
def test_contour_boxes_at_every_level(kind):
    rng = np.random.default_rng(0)
    for height, width in ((13, 9), (6, 17), (2, 5)):
        grey = random_map(rng, kind, height, width)
        levels, boxes = contour_boxes(grey)
        for level in range(LEVELS):
            assert sorted(map(tuple, boxes[levels == level].tolist())) == boxes_by_flood_fill(grey > level), level


def pixel_iou(a, b) -> float:
    """IoU by its definition in the "+1" convention."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    area = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return width * height / (sum(area) - width * height)


def published(grey: np.ndarray, truth: np.ndarray, taus: np.ndarray, largest_only: bool) -> np.ndarray:
    """Best IoU at each threshold, one threshold and one contour at a time."""
    height, width = grey.shape
    ious = []
    for tau in taus:
        mask = (grey > int(tau * grey.max())).astype(np.uint8)
        contours = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        if largest_only and contours:
            contours = [max(contours, key=cv2.contourArea)]
        boxes = [(x, y, min(x + w, width - 1), min(y + h, height - 1)) for x, y, w, h in map(cv2.boundingRect, contours)]
        ious.append(max(pixel_iou(box, true) for box in boxes or [(0, 0, 0, 0)] for true in truth))
    return np.array(ious)


@pytest.mark.parametrize("largest_only", [False, True])
def test_accuracy_curves_equal_the_published_procedure(largest_only):
    rng = np.random.default_rng(1)
    taus = TAUS[::17]
    per_level, peaks, expected = [], [], []
    for index in range(14):
        size = (int(rng.integers(30, 90)), int(rng.integers(30, 90)))
        raw = rng.random((5, 4)) if index else np.ones((5, 4))  # a constant map is evaluated like any other
        grey = to_grey(normalize(raw, (40, 32)))
        if index == 1:
            grey = random_map(rng, "noise", 32, 40) // 2  # a maximum other than 255
        corners = np.sort(rng.random((1 + index % 3, 2, 2)), axis=1).reshape(-1, 4) * np.array(size * 2)
        truth = scale_to_grid(corners, size, (40, 32))
        per_level.append((largest_iou_per_level if largest_only else best_iou_per_level)(grey, truth))
        peaks.append(int(grey.max()))
        expected.append(published(grey, truth, taus, largest_only))
    for delta in DELTAS:
        curve = accuracy_curve(np.array(per_level), np.array(peaks), taus, delta)
        np.testing.assert_allclose(curve, (np.array(expected) >= delta).mean(axis=0), rtol=0, atol=1e-9)


def test_iou_conventions():
    rng = np.random.default_rng(2)
    a, b = (np.sort(rng.integers(0, 40, (30, 2, 2)), axis=1).reshape(-1, 4) for _ in range(2))
    expected = [[pixel_iou(x, y) for y in b] for x in a]
    np.testing.assert_allclose(iou_of_pixels(a, b), expected, atol=1e-12)
    masks = []
    for boxes in (a, b):
        grid = np.zeros((len(boxes), 40, 40), bool)
        for cells, (x0, y0, x1, y1) in zip(grid, boxes, strict=True):
            cells[y0:y1, x0:x1] = True
        masks.append(grid.reshape(len(boxes), -1).astype(float))
    shared = masks[0] @ masks[1].T
    union = masks[0].sum(1)[:, None] + masks[1].sum(1)[None] - shared
    np.testing.assert_allclose(iou_of_extents(a, b), np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), atol=1e-12)


def test_true_boxes_are_truncated_on_the_grid():
    assert scale_to_grid(np.array([[1, 2, 4, 3]]), (10, 20), (35, 10)).tolist() == [[3, 1, 14, 1]]


def test_maps_without_information_become_zeros():
    for raw in (np.full((4, 4), 0.3), np.where(np.eye(4) > 0, np.nan, 1.0), np.where(np.eye(4) > 0, np.inf, 1.0)):
        assert not normalize(raw, (16, 16)).any()
    truth = np.array([[0, 0, 3, 3]])
    # no contour at any level: the box is the first pixel
    assert (best_iou_per_level(np.zeros((16, 16), np.uint8), truth) == 1 / 16).all()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("error")
def test_every_rule_takes_a_map_without_information_whole(value):
    """As the published DINO-seg does, whose comparison with NaN keeps no cell; so nothing is found by accident."""
    score = np.full((6, 8), value)
    some = np.random.default_rng(7).random((3, 6, 8))
    some[0, 2, 3] = value
    whole = [0, 0, 8, 6]
    assert box_at(normalize(score, (8, 6)), 0.5).tolist() == box_at(score, 0.5).tolist() == whole
    assert dino_seg(score).tolist() == dino_seg(score, parity=True).tolist() == whole
    for features in (np.full((3, 6, 8), value), *([] if value == 0 else [some])):
        for standardize in (False, True):
            box, votes = lost(features, standardize=standardize)
            assert box.tolist() == whole and not votes.any()
    if value:
        assert dino_seg(some[0]).tolist() == box_at(some[0], 0.5).tolist() == whole


def test_padding_is_cut_off_before_the_minimum_is_taken():
    score = np.pad(np.random.default_rng(3).random((4, 4)), ((0, 1), (0, 2)))
    cut = normalize(score, (32, 32), (48, 40))
    assert cut.shape == (32, 32) and cut.min() == 0 and cut.max() == 1


def dino_seg_by_loops(attention: np.ndarray, parity: bool) -> tuple[int, int, int, int]:
    total, kept, mass = attention.sum(), np.zeros(attention.shape, bool), 0.0
    for index in np.argsort(attention.ravel(), kind="stable"):
        mass += attention.ravel()[index] / total
        kept.ravel()[index] = mass > 0.4
    found = components(kept, diagonal=False)
    if parity:  # the last component is never looked at, and where there is one only, the background is taken
        found = found[:-1] or [list(zip(*np.nonzero(~kept), strict=True))]
    y, x = np.array(max(found, key=len)).T
    return x.min(), y.min(), x.max() + 1, y.max() + 1


@pytest.mark.parametrize("parity", [False, True])
def test_dino_seg(parity):
    rng = np.random.default_rng(4)
    for _ in range(60):
        attention = cv2.GaussianBlur(rng.random((9, 7)) ** 4, (3, 3), 0)
        assert tuple(dino_seg(attention, parity=parity)) == dino_seg_by_loops(attention, parity)


def lost_by_loops(features: np.ndarray, patches: int) -> tuple[tuple[int, int, int, int], np.ndarray]:
    depth, height, width = features.shape
    tokens = features.reshape(depth, -1).T
    count = len(tokens)
    similarity = [[float(np.dot(tokens[i], tokens[j])) for j in range(count)] for i in range(count)]
    degree = [sum(similarity[i][j] > 0 for j in range(count) if j != i) for i in range(count)]
    order = sorted(range(count), key=lambda i: degree[i])
    seed = order[0]
    voters = [i for i in order[:patches] if similarity[seed][i] > 0]
    votes = np.array([sum(similarity[i][j] for i in voters) for j in range(count)]).reshape(height, width)
    own = next(c for c in components(votes > 0, diagonal=False) if (seed // width, seed % width) in c)
    y, x = np.array(own).T
    return (x.min(), y.min(), x.max() + 1, y.max() + 1), votes


def test_lost():
    rng = np.random.default_rng(5)
    for _ in range(25):
        features = np.stack([cv2.GaussianBlur(rng.normal(size=(6, 8)), (3, 3), 0) for _ in range(5)])
        box, votes = lost(features, patches=12, standardize=False)
        expected, expected_votes = lost_by_loops(features, 12)
        assert tuple(box) == expected
        np.testing.assert_allclose(votes, expected_votes, atol=1e-9)


def test_lost_standardizes_over_all_entries():
    features = np.abs(np.random.default_rng(6).normal(size=(5, 6, 8)))
    centred = (features - features.mean()) / np.sqrt(features.var() + 1e-5)
    assert tuple(lost(features)[0]) == tuple(lost(centred, standardize=False)[0])


def test_single_box_is_that_of_the_largest_component():
    score = np.zeros((12, 12))
    score[1:3, 1:3] = 1.0
    score[5:10, 4:11] = 0.6
    assert box_at(score, 0.5).tolist() == [4, 5, 11, 10]
    assert box_at(score, 0.7).tolist() == [1, 1, 3, 3]
    assert box_at(np.zeros((12, 10)), 0.5).tolist() == [0, 0, 10, 12]
    hits = np.zeros((2, 100), bool)
    hits[:, 20:31] = True
    assert calibrate(hits) == pytest.approx(0.25)
