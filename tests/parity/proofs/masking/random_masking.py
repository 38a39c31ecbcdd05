"""Random tokens, and random blocks of tokens."""

from __future__ import annotations

import math
import random

import torch
from harness_plugins.masking.random_masking import block_mask

from proofs.masking import BATCH, MaskingProof, attention, build, generator


def tokens() -> None:
    mask = build("random-masking", low=0.75, high=0.75)(attention(), generator())
    assert (mask.sum(1) == 147).all()
    assert (mask.float().mean(0) - 0.75).abs().max() < 4.5 * math.sqrt(0.75 * 0.25 / BATCH)


def block_by_cells(height: int, width: int, area: float, draws: random.Random) -> list[list[bool]]:
    """The block generator of ``loader.py``, cell by cell, on the same stream of random numbers."""
    uniform = draws.uniform
    grid = [[False] * width for _ in range(height)]
    while sum(map(sum, grid)) < area:
        left = area - sum(map(sum, grid))
        placed = False
        for _ in range(10):
            size = uniform((min(height, width) // 3) ** 2, left)
            aspect = math.exp(uniform(math.log(0.3), math.log(1 / 0.3)))
            h, w = round(math.sqrt(size * aspect)), round(math.sqrt(size / aspect))
            if w < width and h < height:
                top, start = math.floor(uniform(0, height - h + 1)), math.floor(uniform(0, width - w + 1))
                cells = [(i, j) for i in range(top, top + h) for j in range(start, start + w) if not grid[i][j]]
                if 0 < len(cells) <= left:
                    for i, j in cells:
                        grid[i][j] = placed = True
            if placed:
                break
        if not placed:
            break
    return grid


def blocks() -> None:
    for seed, (height, width, ratio) in enumerate([(14, 14, 0.3), (14, 14, 0.5), (7, 10, 0.4), (3, 3, 0.5), (2, 2, 0.5)] * 8):
        expected = torch.tensor(block_by_cells(height, width, ratio * height * width, random.Random(seed)))
        assert torch.equal(block_mask(height, width, ratio * height * width, random.Random(seed)), expected)
        assert expected.sum() <= ratio * height * width
    mask = build("random-block-wise-masking", low=0.4, high=0.4)(attention(), generator())
    assert 0.9 * 0.4 < mask.float().mean() <= 0.4


PROOFS = {
    "random-masking": MaskingProof(equation=tokens, one_ratio=False),
    "random-block-wise-masking": MaskingProof(equation=blocks, one_ratio=False, draws=True),
}
