"""Operations that detectors need: equal to the compiled ones where these exist, and to a loop everywhere."""

from __future__ import annotations

import math
import threading
import time

import psutil
import pytest
import torch

from harness import regions


def _boxes(count: int, generator: torch.Generator, *, reach: float = 100.0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Boxes of all sizes, some of which leave an image of 80 pixels, one without area."""
    corner = torch.rand(count, 2, generator=generator, dtype=dtype) * reach - 20
    boxes = torch.cat([corner, corner + torch.rand(count, 2, generator=generator, dtype=dtype) * 70], dim=1)
    boxes[0, 2:] = boxes[0, :2]
    return boxes


def _regions(count: int, images: int, generator: torch.Generator) -> torch.Tensor:
    return torch.cat([torch.randint(images, (count, 1), generator=generator).double(), _boxes(count, generator)], dim=1)


def _roi_align(x, rois, size, scale, sampling_ratio, aligned):
    """As the kernel computes it, a number at a time."""
    height, width = x.shape[2:]
    out = torch.zeros(len(rois), x.shape[1], *size, dtype=x.dtype)

    def at(place, side):
        low = int(max(place, 0))
        return (side - 1, side - 1, 0.0) if low >= side - 1 else (low, low + 1, max(place, 0) - low)

    for r, (image, *corners) in enumerate(rois.tolist()):
        x0, y0, x1, y1 = (corner * scale - 0.5 * aligned for corner in corners)
        extent = [y1 - y0, x1 - x0] if aligned else [max(y1 - y0, 1), max(x1 - x0, 1)]
        bins = [side / parts for side, parts in zip(extent, size, strict=True)]
        down, across = (sampling_ratio or math.ceil(side) for side in bins)
        for i in range(size[0]):
            for j in range(size[1]):
                for a in range(down):
                    for b in range(across):
                        row, column = y0 + (i + (a + 0.5) / down) * bins[0], x0 + (j + (b + 0.5) / across) * bins[1]
                        if not (-1 <= row <= height and -1 <= column <= width):
                            continue
                        (top, bottom, v), (left, right, u) = at(row, height), at(column, width)
                        grid = x[int(image)]
                        upper = (1 - u) * grid[:, top, left] + u * grid[:, top, right]
                        lower = (1 - u) * grid[:, bottom, left] + u * grid[:, bottom, right]
                        out[r, :, i, j] += ((1 - v) * upper + v * lower) / (down * across)
    return out


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
@pytest.mark.parametrize("shape", [(10, 9), (1, 9), (10, 1)])
def test_roi_align_is_its_loop(aligned, sampling_ratio, shape):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64)
    rois = _regions(15, 2, generator)
    arguments = (x, rois, (3, 4), 1 / 8, sampling_ratio, aligned)
    torch.testing.assert_close(regions.roi_align_by_grids(*arguments), _roi_align(*arguments), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(regions.roi_align(*arguments), _roi_align(*arguments), rtol=1e-9, atol=1e-9)


def test_roi_align_without_regions():
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    found = regions.roi_align_by_grids(x, torch.zeros(0, 5), (7, 7), 0.25)
    assert found.shape == (0, 3, 7, 7)
    found.sum().backward()
    assert not x.grad.any()


def test_roi_align_has_the_gradients_of_finite_differences():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 2, 5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    rois = _regions(6, 2, generator)
    assert torch.autograd.gradcheck(lambda x: regions.roi_align_by_grids(x, rois, (2, 3), 1 / 8), (x,))


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_equal_to_the_compiled_operations(openmmlab, sampling_ratio):
    if not regions.compiled():
        pytest.skip("torchvision's compiled operations do not load here")
    generator = torch.Generator().manual_seed(2)
    x, rois = torch.randn(2, 5, 12, 10, generator=generator, dtype=torch.float64), _regions(40, 2, generator)
    for aligned in (True, False):
        theirs = torch.ops.torchvision.roi_align(x, rois, 1 / 8, 7, 7, sampling_ratio, aligned)
        torch.testing.assert_close(regions.roi_align_by_grids(x, rois, (7, 7), 1 / 8, sampling_ratio, aligned), theirs)
    for count in (1, 40, 1000):
        boxes, scores = _boxes(count, generator, reach=300.0), torch.rand(count, generator=generator)
        assert torch.equal(regions.nms_by_blocks(boxes, scores.double(), 0.5), torch.ops.torchvision.nms(boxes, scores.double(), 0.5))


def test_roi_align_of_a_thousand_regions_stays_below_a_gigabyte():
    x = torch.randn(2, 256, 100, 100, requires_grad=True)
    rois = _regions(1000, 2, torch.Generator().manual_seed(3)).float()
    rois[:, 1:] *= 5  # of all sizes up to 40 cells
    process, most, done = psutil.Process(), [0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], process.memory_info().rss)
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        regions.roi_align_by_grids(x, rois, (7, 7), 1 / 8).sum().backward()
    finally:
        done.set()
        watcher.join()
    assert most[0] - before < 1e9


def _nms(boxes, scores, threshold, offset):
    """One box after the other, by falling scores."""
    kept: list[int] = []

    def iou(one, other):
        sides = [min(one[2 + a], other[2 + a]) - max(one[a], other[a]) + offset for a in (0, 1)]
        common = max(sides[0], 0) * max(sides[1], 0)
        area = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (one, other)]
        return common / whole if (whole := sum(area) - common) else 0.0

    for index in sorted(range(len(boxes)), key=lambda index: -scores[index]):
        if all(iou(boxes[index].tolist(), boxes[other].tolist()) <= threshold for other in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 30, 700])
def test_nms_is_its_loop(count, offset):
    """700 boxes are three blocks."""
    generator = torch.Generator().manual_seed(count)
    boxes = _boxes(max(count, 1), generator, reach=300.0)[:count]
    scores = torch.rand(count, generator=generator, dtype=torch.float64).mul(50).round()  # with equal ones
    assert regions.nms_by_blocks(boxes, scores, 0.4, offset).tolist() == _nms(boxes, scores.tolist(), 0.4, offset)


def test_mmcv_and_torchvision_use_them(openmmlab):
    import mmcv.ops
    import torchvision

    generator = torch.Generator().manual_seed(4)
    x = torch.randn(2, 3, 10, 9, generator=generator, dtype=torch.float64, requires_grad=True)
    rois, weight = _regions(15, 2, generator), torch.randn(15, 3, 7, 7, generator=generator, dtype=torch.float64)
    read, grads = [], []
    for form in (
        lambda: mmcv.ops.roi_align(x, rois, 7, 1 / 8, 0, "avg", True),
        lambda: torchvision.ops.roi_align(x, rois, 7, 1 / 8, 0, True),
        lambda: regions.roi_align_by_grids(x, rois, (7, 7), 1 / 8),
    ):
        read.append(form())
        grads.append(torch.autograd.grad((read[-1] * weight).sum(), x)[0])
    for one, grad in zip(read[:2], grads[:2], strict=True):
        torch.testing.assert_close(one, read[2])
        torch.testing.assert_close(grad, grads[2])
    boxes, scores = _boxes(50, generator).float(), torch.rand(50, generator=generator)
    kept = _nms(boxes, scores.tolist(), 0.3, 0)
    assert mmcv.ops.nms(boxes, scores, 0.3)[1].tolist() == kept == torchvision.ops.nms(boxes, scores, 0.3).tolist()


def test_focal_loss_stands_in(openmmlab):
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    from harness import _mmcv

    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    target, weight = torch.tensor([0, 1, 2, 3, 3, 1]), torch.empty(0, dtype=torch.float64)
    one_hot = torch.nn.functional.one_hot(target, 4)[:, :3]
    expected = py_sigmoid_focal_loss(logits, one_hot, reduction="none")
    found, grad = torch.empty(6, 3, dtype=torch.float64), torch.empty(6, 3, dtype=torch.float64)
    _mmcv.sigmoid_focal_loss_forward(logits.detach(), target, weight, found, gamma=2.0, alpha=0.25)
    _mmcv.sigmoid_focal_loss_backward(logits.detach(), target, weight, grad, gamma=2.0, alpha=0.25)
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(grad, torch.autograd.grad(expected.sum(), logits)[0])
