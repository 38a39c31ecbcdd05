"""Masks that look at no attention: random tokens and random blocks.

Source: Bao et al., "BEiT", ICLR 2022, section 2.3, and Zhou et al., "iBOT", ICLR 2022, in the form of ``loader.py`` of
gkakogeorgiou/attmask. ``mmpretrain.BEiTMaskGenerator`` is the same idea with a fixed count of tokens and global
random state.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import torch
from harness_plugins.masking.common import Masking, check_attention
from torch import Tensor

from harness.slots import attention_method

ATTEMPTS = 10
LOG_ASPECT = math.log(1 / 0.3)


@attention_method("random-masking", slot="masking")
@dataclass(frozen=True)
class RandomMasking(Masking):
    """Mask tokens drawn uniformly; one r per image. ``low: 0.75, high: 0.75`` is the AttMask paper's second variant.

    Formula:
        mask = ⌊rN⌋ tokens drawn without replacement, r ~ U(low, high)

    Shapes:
        (B, N), of which only the shape and device count → bool mask (B, N), ``True`` where a token is masked.

    Parameters:
        0.

    Map:
        None of its own: the mask is the output.

    Source:
        Zhou et al., ICLR 2022, in the form of ``loader.py`` of gkakogeorgiou/attmask.
    """

    def __call__(self, attention: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, N), of which only the shape and device count, → bool mask (B, N)."""
        check_attention(attention)
        images, tokens = attention.shape
        # on the CPU unless the generator says otherwise: many small shuffles are nothing for a GPU
        device = generator.device if generator is not None else None
        if not images:
            return torch.zeros_like(attention, dtype=torch.bool)
        # a shuffle for each image, which takes a fraction of the time of sorting random numbers
        rank = torch.stack([torch.randperm(tokens, generator=generator, device=device) for _ in range(images)])
        counts = torch.tensor([int(tokens * ratio) for ratio in self.ratios(images, generator)], device=device)
        return self.keep_some((rank < counts.unsqueeze(1)).to(attention.device), generator)


def block_mask(height: int, width: int, area: float, draws: random.Random) -> Tensor:
    """Cover about ``area`` tokens of a grid with random rectangles.

    Each rectangle has an area from U(⌊min(H, W)/3⌋², what is left) and an aspect from log-U(0.3, 1/0.3); it is kept if
    it is smaller than the grid on both sides and adds between 1 and what is left. After ten attempts without one the
    mask stays as it is, so that it may cover less than ``area``, never more.

    Returns:
        Bool (H, W), on the CPU.
    """
    mask = np.zeros((height, width), dtype=bool)
    covered = 0
    while covered < area:
        added = _add_block(mask, area - covered, draws)
        if not added:
            break
        covered += added
    return torch.from_numpy(mask)


def _add_block(mask: np.ndarray, left: float, draws: random.Random) -> int:
    """Add one rectangle of at most ``left`` new tokens, in place; returns how many were new."""
    height, width = mask.shape
    for _ in range(ATTEMPTS):
        target = draws.uniform((min(height, width) // 3) ** 2, left)
        aspect = math.exp(draws.uniform(-LOG_ASPECT, LOG_ASPECT))
        h, w = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if w >= width or h >= height:
            continue
        top = int(draws.uniform(0, height - h + 1))
        start = int(draws.uniform(0, width - w + 1))
        block = mask[top : top + h, start : start + w]
        new = h * w - int(np.count_nonzero(block))
        if 0 < new <= left:
            block[:] = True
            return new
    return 0


@attention_method("random-block-wise-masking", slot="masking")
@dataclass(frozen=True)
class RandomBlockWiseMasking(Masking):
    """Mask rectangles up to rN tokens (:func:`block_mask`); one r per image.

    Formula:
        mask = rectangles of area U(⌊min(H, W)/3⌋², what is left) and aspect log-U(0.3, 1/0.3) until rN tokens are covered

    Shapes:
        (B, N), of which only the shape and device count → bool mask (B, N), ``True`` where a token is masked.

    Parameters:
        0.

    Map:
        None of its own: the mask is the output.

    Source:
        Bao et al., ICLR 2022, section 2.3, in the form of ``loader.py`` of gkakogeorgiou/attmask. ``mmpretrain.BEiTMaskGenerator``
        is the same idea with a fixed count of tokens and global random state.

    Args:
        low, high, masking_prob: see :class:`~harness_plugins.masking.common.Masking`.
        height: rows H of the token grid; 0 means that the grid is square.
    """

    height: int = 0

    def __call__(self, attention: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, H·W), of which only the shape and device count, → bool mask (B, H·W).

        Raises:
            ValueError: N tokens do not fill a grid of that height.
        """
        check_attention(attention)
        images, tokens = attention.shape
        height = self.height or math.isqrt(tokens)
        if tokens % height or (not self.height and height**2 != tokens):
            raise ValueError(f"{tokens} tokens do not fill a grid {f'of {height} rows' if self.height else 'that is square'}; set height")
        if not images:
            return torch.zeros_like(attention, dtype=torch.bool)
        ratios = self.ratios(images, generator)
        device = generator.device if generator is not None else None
        # a block takes five numbers, and torch a microsecond or more for each; Python's generator starts from one of torch's
        draws = random.Random(int(torch.randint(2**62, (), generator=generator, device=device)))
        masks = [block_mask(height, tokens // height, ratio * tokens, draws).flatten() for ratio in ratios]
        return self.keep_some(torch.stack(masks).to(attention.device), generator)
