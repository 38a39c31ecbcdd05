"""Attention between boxes: how far away the boxes lie that a box attends to, and its weights as lines."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

_ROWS = 64
"""Rows and columns of the longer side of the maps with lines."""

_DRAWN = 24
"""Lines of a head, the strongest ones."""


def distances(boxes: Tensor) -> Tensor:
    """How far from each box the centres of all lie, in its own size, the root of its area; (B, N, 4) -> (B, N, N)."""
    low, high = boxes[..., :2], boxes[..., 2:]
    size = (high - low).clamp_min(1e-3).prod(-1).sqrt()
    return torch.cdist((low + high) / 2, (low + high) / 2) / size.unsqueeze(-1)


def attended_distance(attention: Tensor, boxes: Tensor) -> Tensor:
    """How far from a box those lie that it attends to, itself left out, in its own size.

    Args:
        attention: (B, heads, N, N).
        boxes: (B, N, 4), x0, y0, x1, y1.

    Returns:
        (B, heads), the mean over the boxes that attend to others at all; NaN where there is no other.
    """
    others = attention.abs() * (1 - torch.eye(attention.shape[-1], device=attention.device))
    total = others.sum(-1)
    far = (others * distances(boxes).unsqueeze(1)).sum(-1) / total
    return far.masked_fill(total == 0, torch.nan).nanmean(-1)


def uniform_distance(attention: Tensor, boxes: Tensor) -> Tensor:
    """What uniform attention would give, (B,)."""
    return attended_distance(torch.ones_like(attention[:, :1]), boxes)[:, 0]


def lines(attention: Tensor, boxes: Tensor, image: tuple[int, int]) -> Tensor:
    """The strongest weights between two boxes as lines between their middles, as bright as the weight.

    Args:
        attention: (B, heads, N, N).
        boxes: (B, N, 4), in pixels.
        image: (H, W) of the network's input.

    Returns:
        (B, heads, rows, columns) on a coarser grid; 0 where no line lies.
    """
    scale = _ROWS / max(image)
    height, width = (max(1, round(side * scale)) for side in image)
    weights = attention.detach().float().cpu().numpy()
    middles = ((boxes[..., :2] + boxes[..., 2:]) / 2 * scale).detach().cpu().numpy()
    maps = np.zeros((*weights.shape[:2], height, width), np.float32)
    for one, (heads, places) in enumerate(zip(weights, middles, strict=True)):
        for head, matrix in enumerate(heads):
            pairs = matrix * (1 - np.eye(len(matrix), dtype=np.float32))
            # the weakest first, so that none hides a stronger one
            for pair in np.argsort(pairs, axis=None)[-_DRAWN:]:
                m, n = np.unravel_index(pair, pairs.shape)
                start, end = (np.round(places[index]).astype(int).tolist() for index in (m, n))
                cv2.line(maps[one, head], start, end, float(pairs[m, n]), 1)
    return torch.from_numpy(maps)
