"""Plain forms of the masking strategies, step by step as in ``attmask.py`` and ``loader.py`` of gkakogeorgiou/attmask."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from peers.peer import Peer

FIXED = {"low": 0.4, "high": 0.4, "masking_prob": 1.0}


def _extreme(attention: Tensor, ratio: float, descending: bool) -> Tensor:
    count = int(attention.shape[1] * ratio)
    chosen = torch.argsort(attention, descending=descending)[:, :count]
    return torch.zeros_like(attention, dtype=torch.bool).scatter_(1, chosen, True)


def _some(mask: Tensor, masking_prob: float) -> Tensor:
    mask[torch.rand(len(mask), device=mask.device) > masking_prob] = False
    return mask


def high(m: Any, attention: Tensor) -> Tensor:
    return _some(_extreme(attention, random.uniform(m.low, m.high), True), m.masking_prob)


def low(m: Any, attention: Tensor) -> Tensor:
    return _some(_extreme(attention, random.uniform(m.low, m.high), False), m.masking_prob)


def hint(m: Any, attention: Tensor) -> Tensor:
    ratio = random.uniform(m.low, m.high)
    mask = _some(_extreme(attention, ratio, True), m.masking_prob)
    best = _extreme(attention, m.show, True)
    return mask.scatter_(1, torch.multinomial(best.float(), int(m.show * ratio * attention.shape[1])), False)


def tokens(m: Any, attention: Tensor) -> Tensor:
    images, count = attention.shape
    masks = []
    for _ in range(images):
        hidden = int(random.uniform(m.low, m.high) * count)
        mask = np.hstack([np.zeros(count - hidden), np.ones(hidden)]).astype(bool)
        np.random.shuffle(mask)
        masks.append(mask)
    return _some(torch.from_numpy(np.stack(masks)), m.masking_prob)


def block(edge: int, area: float, uniform: Callable[[float, float], float]) -> np.ndarray:
    """Rectangles over a square grid, cell by cell."""
    mask = np.zeros((edge, edge), dtype=bool)
    covered = 0
    while covered < area:
        left, added = area - covered, 0
        for _ in range(10):
            size = uniform((edge // 3) ** 2, left)
            aspect = math.exp(uniform(math.log(0.3), math.log(1 / 0.3)))
            h, w = round(math.sqrt(size * aspect)), round(math.sqrt(size / aspect))
            if w < edge and h < edge:
                top, start = int(uniform(0, edge - h + 1)), int(uniform(0, edge - w + 1))
                hidden = mask[top : top + h, start : start + w].sum()
                if 0 < h * w - hidden <= left:
                    for i in range(top, top + h):
                        for j in range(start, start + w):
                            if not mask[i, j]:
                                mask[i, j] = True
                                added += 1
            if added:
                break
        if not added:
            break
        covered += added
    return mask


def blocks(m: Any, attention: Tensor) -> Tensor:
    edge = math.isqrt(attention.shape[1])
    masks = [block(edge, random.uniform(m.low, m.high) * attention.shape[1], random.uniform) for _ in attention]
    return _some(torch.from_numpy(np.stack(masks)).flatten(1), m.masking_prob)


def nothing(m: Any, attention: Tensor) -> Tensor:
    return torch.zeros_like(attention, dtype=torch.bool)


PEERS = {
    "dino-ssl": Peer(nothing),
    "attmask-high": Peer(high, params=FIXED),
    "attmask-low": Peer(low, params=FIXED),
    "attmask-hint": Peer(hint, params=FIXED, exact=False),
    "random-masking": Peer(tokens, params=FIXED, exact=False),
    "random-block-wise-masking": Peer(blocks, params=FIXED, exact=False),
    "ibot": Peer(blocks, params=FIXED, exact=False),
}
"""The ratio is fixed and every image masked, so that both sides mask the same number of tokens."""
