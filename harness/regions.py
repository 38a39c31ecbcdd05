"""Non-maximum suppression and RoIAlign: the compiled operations where they load, plain PyTorch that computes the same elsewhere.

A detector needs both. mmcv-lite has neither, and torchvision's cannot be loaded where it was built for another PyTorch; its own Python
form of RoIAlign takes 20 GB for 512 regions, and is another function outside the image.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_BLOCK = 256
"""Boxes that are compared with all later ones at once."""
_NUMBERS = 1 << 24
"""Sampled numbers that are held at once, 64 MB of them in 32 bits."""


def compiled() -> bool:
    """Whether torchvision's compiled operations are there; it is asked anew each time, since importing torchvision brings them."""
    return hasattr(torch.ops.torchvision, "roi_align") and torch._C._dispatch_has_kernel("torchvision::roi_align")


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Indices of the boxes that are kept, by falling scores: a box goes if it overlaps a kept one by more than the threshold.

    Args:
        boxes: (N, 4), x0, y0, x1, y1.
        scores: (N,); of equal ones the first counts as the larger.
        offset: added to widths and heights, 1 where corners are pixels.
    """
    if compiled() and not offset:
        found: Tensor = torch.ops.torchvision.nms(boxes, scores, iou_threshold)
        return found
    return nms_by_blocks(boxes, scores, iou_threshold, offset)


def nms_by_blocks(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """:func:`nms` in plain PyTorch: only the boxes of one block wait for one another."""
    order = scores.argsort(descending=True, stable=True)
    boxes = boxes.detach()[order]
    boxes = boxes if boxes.dtype == torch.float64 else boxes.float()
    area = (boxes[:, 2:] - boxes[:, :2] + offset).prod(1)
    gone = np.zeros(len(boxes), bool)
    for start in range(0, len(boxes), _BLOCK):
        stop = min(start + _BLOCK, len(boxes))
        waiting = np.flatnonzero(~gone[start:]) + start
        mine = waiting[waiting < stop]
        if not len(mine):
            continue
        one, other = (torch.from_numpy(some).to(boxes.device) for some in (mine, waiting))
        sides = torch.minimum(boxes[one, None, 2:], boxes[other, 2:]) - torch.maximum(boxes[one, None, :2], boxes[other, :2])
        common = (sides + offset).clamp(min=0).prod(2)
        overlaps = (common / (area[one, None] + area[other] - common) > iou_threshold).cpu().numpy()
        lost = np.zeros(len(waiting), bool)
        for place in range(len(mine)):
            if not lost[place]:
                lost[place + 1 :] |= overlaps[place, place + 1 :]
        gone[waiting] = lost
    return order[torch.from_numpy(~gone).to(order.device)]


def roi_align(x: Tensor, rois: Tensor, size: tuple[int, int], scale: float, sampling_ratio: int = 0, aligned: bool = True) -> Tensor:
    """Means of bilinear samples in each bin of a region's grid (He et al., ICCV 2017), (R, C, *size).

    Samples up to a cell outside the map have the value of its border, those beyond are 0.

    Args:
        x: (B, C, H, W).
        rois: (R, 5), index in the batch and x0, y0, x1, y1 in pixels of the input; no gradient reaches them.
        size: bins, (height, width).
        scale: cells of the map in a pixel of the input.
        sampling_ratio: samples of a bin in each direction; 0 for one in each cell that it is wide.
        aligned: whether cells are counted from their centres.
    """
    if compiled():
        found: Tensor = torch.ops.torchvision.roi_align(x, rois.to(x.dtype), scale, *size, sampling_ratio, aligned)
        return found
    return roi_align_by_grids(x, rois, size, scale, sampling_ratio, aligned)


def roi_align_by_grids(
    x: Tensor, rois: Tensor, size: tuple[int, int], scale: float, sampling_ratio: int = 0, aligned: bool = True
) -> Tensor:
    """:func:`roi_align` in plain PyTorch: regions of one image with the same number of samples are read at once."""
    told, x = x.dtype, x if x.dtype == torch.float64 else x.float()
    rois = rois.detach().to(x.dtype)
    corner = rois[:, [2, 1]] * scale - (0.5 if aligned else 0.0)
    extent = (rois[:, [4, 3]] - rois[:, [2, 1]]) * scale
    if not aligned:
        extent = extent.clamp(min=1)
    bins = extent / torch.tensor(size, dtype=x.dtype, device=x.device)
    counts = torch.full_like(bins, sampling_ratio) if sampling_ratio > 0 else bins.ceil().clamp(min=0)
    keys = torch.cat([rois[:, :1], counts], dim=1).long()
    maps = torch.split(x, 1)
    groups = [*_alike(keys, x.shape[1] * size[0] * size[1])]
    parts = [_means(maps[image], corner[some], bins[some], (rows, columns), size) for (image, rows, columns), some in groups]
    if not parts:
        return x.new_zeros(0, x.shape[1], *size).to(told) + 0 * x.sum()
    place = torch.cat([some for _, some in groups]).argsort()
    return torch.cat(parts)[place].to(told)


def _alike(keys: Tensor, numbers: int) -> Iterator[tuple[list[int], Tensor]]:
    """(image, samples down, samples across) and the regions that have them, some at a time."""
    kinds, which = torch.unique(keys, dim=0, return_inverse=True)
    for index, (image, rows, columns) in enumerate(kinds.tolist()):
        at_once = max(1, _NUMBERS // max(1, numbers * rows * columns))
        for some in (which == index).nonzero()[:, 0].split(at_once):
            yield [image, rows, columns], some


def _means(x: Tensor, corner: Tensor, bins: Tensor, counts: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(R, C, *size) of one map (1, C, H, W); ``corner`` and ``bins`` (R, 2) are y and x in cells."""
    if 0 in counts:
        return x.new_zeros(len(corner), x.shape[1], *size) + 0 * x.sum()
    places, inside = [], []
    for axis, (count, parts) in enumerate(zip(counts, size, strict=True)):
        steps = (torch.arange(count * parts, device=x.device, dtype=x.dtype) + 0.5) / count
        at = corner[:, axis, None] + steps * bins[:, axis, None]
        last = x.shape[2 + axis] - 1
        inside.append((at >= -1) & (at <= last + 1))
        # of one cell there is only one place; elsewhere -1 and 1 are the centres of the outer cells
        places.append(at.clamp(0, last) * (2 / max(last, 1)) - 1)
    rows, columns = places[0].shape[1], places[1].shape[1]
    grid = torch.stack([places[1][:, None].expand(-1, rows, -1), places[0][..., None].expand(-1, -1, columns)], dim=-1)
    seen = F.grid_sample(x, grid.flatten(0, 1)[None], align_corners=True, padding_mode="border")[0]
    seen = torch.unflatten(seen, 1, (-1, rows)) * (inside[0][..., None] & inside[1][:, None])
    # a mean keeps no copy of what it is taken of for the backward pass, a pooling does
    return torch.unflatten(torch.unflatten(seen, 3, (-1, counts[1])), 2, (-1, counts[0])).mean((3, 5)).transpose(0, 1)
