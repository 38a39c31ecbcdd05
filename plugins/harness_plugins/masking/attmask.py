"""AttMask: masks chosen by the teacher's attention.

Source: Kakogeorgiou et al., "What to Hide from Your Students: Attention-Guided Masked Image Modeling", ECCV 2022,
section 3.2; ``attmask.py`` and ``main_attmask.py`` of gkakogeorgiou/attmask.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from harness_plugins.masking.common import Masking, check_attention
from torch import Tensor

from harness.slots import attention_method


def extreme(attention: Tensor, count: int, *, highest: bool) -> Tensor:
    """Mark the ``count`` highest (or lowest) entries of each row, exactly; of equal ones the first.

    Args:
        attention: (B, N).

    Returns:
        Bool (B, N), ``count`` per row.
    """
    tokens = attention.shape[1]
    if count == 0 or not len(attention):
        return torch.zeros_like(attention, dtype=torch.bool)
    # a selection, several times as fast as sorting all
    last = attention.kthvalue(tokens - count + 1 if highest else count, dim=1, keepdim=True).values
    beyond, equal = attention > last if highest else attention < last, attention == last
    room = count - beyond.sum(1, keepdim=True)
    return beyond | (equal & (equal.cumsum(1) <= room))


def reveal(mask: Tensor, candidates: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """``mask`` without ``count`` tokens drawn uniformly, without replacement, from ``candidates`` (B, N) of each row."""
    if count == 0 or mask.shape[0] == 0:
        return mask
    device = generator.device if generator is not None else mask.device
    drawn = torch.multinomial(candidates.float().to(device), count, generator=generator).to(mask.device)
    return mask.scatter(1, drawn, False)


@attention_method("attmask-high", slot="masking")
@dataclass(frozen=True)
class AttMaskHigh(Masking):
    """Mask the most attended tokens; one r per batch.

    The attention is that of the teacher on un-masked views: the [CLS] row of the last block, averaged over heads.

    Formula:
        mask = the ⌊rN⌋ highest of a, r ~ U(low, high)

    Shapes:
        (B, N) attention → bool mask (B, N), ``True`` where a token is masked.

    Parameters:
        0.

    Map:
        None of its own: the mask is the output.

    Source:
        Kakogeorgiou et al., ECCV 2022, section 3.2; ``attmask.py`` and ``main_attmask.py`` of gkakogeorgiou/attmask.
    """

    def __call__(self, attention: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, N) attention → bool mask (B, N)."""
        check_attention(attention, ranked=True)
        count = int(attention.shape[1] * self.ratio(generator))
        return self.keep_some(extreme(attention, count, highest=True), generator)


@attention_method("attmask-low", slot="masking")
@dataclass(frozen=True)
class AttMaskLow(Masking):
    """Mask the least attended tokens; one r per batch.

    Formula:
        mask = the ⌊rN⌋ lowest of a, r ~ U(low, high)

    Shapes:
        (B, N) attention → bool mask (B, N), ``True`` where a token is masked.

    Parameters:
        0.

    Map:
        None of its own: the mask is the output.

    Source:
        Kakogeorgiou et al., ECCV 2022, section 3.2; ``attmask.py`` and ``main_attmask.py`` of gkakogeorgiou/attmask.
    """

    def __call__(self, attention: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, N) attention → bool mask (B, N)."""
        check_attention(attention, ranked=True)
        count = int(attention.shape[1] * self.ratio(generator))
        return self.keep_some(extreme(attention, count, highest=False), generator)


@attention_method("attmask-hint", slot="masking")
@dataclass(frozen=True)
class AttMaskHint(Masking):
    """``attmask-high``, then some of the most attended tokens are revealed.

    Below N = 1/(s·r) tokens there is no hint to reveal and the mask is that of ``attmask-high``; the authors' code
    raises there.

    Formula:
        mask = the ⌊rN⌋ highest of a without ⌊s·r'·N⌋ drawn uniformly from the ⌊sN⌋ highest, r ~ U(low, high)

    Shapes:
        (B, N) attention → bool mask (B, N), ``True`` where a token is masked.

    Parameters:
        0.

    Map:
        None of its own: the mask is the output.

    Source:
        Kakogeorgiou et al., ECCV 2022, section 3.2; ``attmask.py`` and ``main_attmask.py`` of gkakogeorgiou/attmask.

    Args:
        low, high, masking_prob: see :class:`~harness_plugins.masking.common.Masking`.
        show: s, the share of tokens that hints are drawn from (0.1).
        independent_ratio: ``False`` (the paper): r' = r. ``True`` (the released call): r' is a second draw.
    """

    show: float = 0.1
    independent_ratio: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.show <= 1:
            raise ValueError(f"show is {self.show}; it must lie in 0..1")

    def __call__(self, attention: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, N) attention → bool mask (B, N)."""
        check_attention(attention, ranked=True)
        tokens = attention.shape[1]
        ratio = self.ratio(generator)
        hint_ratio = self.ratio(generator) if self.independent_ratio else ratio
        mask = self.keep_some(extreme(attention, int(tokens * ratio), highest=True), generator)
        best = extreme(attention, int(tokens * self.show), highest=True)
        return reveal(mask, best, int(self.show * hint_ratio * tokens), generator)
