"""What all masking strategies share: the draw of the ratio, and which images are masked at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Masking:
    """(B, N) → bool mask (B, N), ``True`` where a token is masked.

    Args:
        low: the ratio r of masked tokens is drawn from U(low, high). The defaults are the 0.3 ± 0.2 of the AttMask
            recipes. ⌊rN⌋ has no floor: on a small grid it may be 0.
        high: equal to ``low``, it fixes r.
        masking_prob: the probability that an image is masked at all, applied after its mask is made.

    Raises:
        ValueError: bounds outside 0 ≤ low ≤ high ≤ 1, or a probability outside 0..1.
    """

    low: float = 0.1
    high: float = 0.5
    masking_prob: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"low is {self.low} and high is {self.high}; they must satisfy 0 <= low <= high <= 1")
        if not 0 <= self.masking_prob <= 1:
            raise ValueError(f"masking_prob is {self.masking_prob}; it must lie in 0..1")

    def ratio(self, generator: torch.Generator | None) -> float:
        """One draw of r."""
        return self.ratios(1, generator)[0]

    def ratios(self, count: int, generator: torch.Generator | None) -> list[float]:
        """``count`` draws of r."""
        device = generator.device if generator is not None else None
        draws = torch.rand(count, generator=generator, dtype=torch.float64, device=device)
        return (self.low + (self.high - self.low) * draws).tolist()

    def keep_some(self, mask: Tensor, generator: torch.Generator | None) -> Tensor:
        """``mask`` with each row cleared with probability 1 − ``masking_prob``."""
        device = generator.device if generator is not None else mask.device
        draw = torch.rand(mask.shape[0], generator=generator, device=device).to(mask.device)
        return mask & (draw < self.masking_prob).unsqueeze(1)


def check_attention(attention: Tensor, *, ranked: bool = False) -> None:
    """Refuse what is not (B, N) with N > 0.

    Args:
        ranked: whether the values themselves are ranked, and not-a-number or infinity has no rank.

    Raises:
        ValueError: another number of axes, no tokens, or values that are not finite though they are ranked.
    """
    if attention.ndim != 2 or not attention.shape[1]:
        raise ValueError(f"the attention has shape {tuple(attention.shape)}; a mask needs (B, N), one row per image")
    if ranked and not attention.isfinite().all():
        raise ValueError("the attention is not finite (NaN or infinity), so its tokens cannot be ranked; look at what made it")
