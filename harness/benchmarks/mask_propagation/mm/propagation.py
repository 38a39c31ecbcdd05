"""How masks are carried from frames whose masks are known to the next one, by similarity of features; in torch alone.

``label_propagation`` and ``norm_mask`` of facebookresearch/dino, ``eval_video_segmentation.py``, in the same order, with each row of
positions compared with the rows in its reach only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def carried(query: Tensor, keys: Tensor, masks: Tensor, *, radius: int = 12, neighbours: int = 5, temperature: float = 0.1) -> Tensor:
    """The masks of a frame: at each position the mean of those of its most similar positions, weighed by a softmax of cosines.

    Positions as similar as the last of the ``neighbours`` count, too.

    Args:
        query: (C, h, w), the frame's features, of length 1 at each position.
        keys: (T, C, h, w), the same of the frames whose masks are known.
        masks: (T, K, h, w), theirs.
        radius: how many rows and columns away a position may be; 0: any number.

    Returns:
        (K, h, w).
    """
    channels, height, width = query.shape
    reach = radius or max(height, width)
    columns = torch.arange(width, device=query.device)
    scaled = query / temperature
    beyond = (columns[:, None] - columns).abs() > reach
    found = torch.empty(masks.shape[1:], dtype=masks.dtype, device=masks.device)
    for row in range(height):
        rows = slice(max(row - reach, 0), row + reach + 1)
        near = keys[:, :, rows].transpose(0, 1)  # (C, T, rows, w)
        logits = (scaled[:, row].T @ near.reshape(channels, -1)).view(width, -1, width)
        logits = logits.masked_fill_(beyond[:, None], -torch.inf).flatten(1)
        last = logits.topk(min(neighbours, logits.shape[1]), dim=1).values[:, -1:]
        weights = logits.masked_fill_(logits < last, -torch.inf).softmax(dim=1)
        found[:, row] = (weights @ masks[:, :, rows].transpose(0, 1).flatten(1).T).T
    return found


class Follower:
    """Carries the masks of a video's first frame to all others, one after the other.

    Args:
        feature: (C, h, w), of the first frame.
        masks: (K, h, w), its masks: of the background and each object.
        context: how many frames before each are looked at beside the first one.
        options: see :func:`carried`.
    """

    def __init__(self, feature: Tensor, masks: Tensor, context: int = 7, **options: Any):
        self._given = F.normalize(feature, dim=0), masks
        self._recent: deque[tuple[Tensor, Tensor]] = deque(maxlen=context)
        self._options = options

    def masks(self, feature: Tensor) -> Tensor:
        """The masks (K, h, w) of the next frame, by its feature (C, h, w)."""
        query = F.normalize(feature, dim=0)
        keys, masks = (torch.stack(known) for known in zip(self._given, *self._recent, strict=True))
        found = carried(query, keys, masks, **self._options)
        self._recent.append((query, found))
        return found


def winner(masks: Tensor, size: Sequence[int], *, upsampling: str = "bilinear", stretched: bool = True) -> Tensor:
    """Which of the masks is largest at each pixel, (H, W) int64; of equal ones the first.

    Args:
        masks: (K, h, w).
        size: (H, W).
        stretched: from 0 to 1 each, as far as it is not the same everywhere.
    """
    smooth = {"align_corners": False} if upsampling == "bilinear" else {}
    large = F.interpolate(masks[None], size=tuple(size), mode=upsampling, **smooth)[0]
    if stretched:
        low, high = (getattr(large, name)(dim=(1, 2), keepdim=True) for name in ("amin", "amax"))
        span = high - low
        large = torch.where(span > 0, (large - low) / span.where(span > 0, torch.ones_like(span)), large)
    return large.argmax(dim=0)
