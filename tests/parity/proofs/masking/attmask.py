"""AttMask: high, low and hint."""

from __future__ import annotations

import torch

from proofs.masking import TOKENS, MaskingProof, attention, build, generator, hidden, ranked


def high() -> None:
    for row, mask in zip(attention(), build("attmask-high", low=0.3, high=0.3)(attention()), strict=True):
        assert hidden(mask) == ranked(row, 58, highest=True)


def low() -> None:
    for row, mask in zip(attention(), build("attmask-low", low=0.3, high=0.3)(attention()), strict=True):
        assert hidden(mask) == ranked(row, 58, highest=False)


def hint() -> None:
    """⌊0.1·0.3·196⌋ = 5 of the ⌊0.1·196⌋ = 19 most attended are shown, each as often as the others."""
    shown = []
    for row, mask in zip(attention(), build("attmask-hint", low=0.3, high=0.3)(attention(), generator()), strict=True):
        revealed = ranked(row, 58, highest=True) - hidden(mask)
        assert len(revealed) == 5 and revealed <= ranked(row, 19, highest=True)
        assert hidden(mask) <= ranked(row, 58, highest=True)
        shown += [TOKENS - 1 - int(row[i]) for i in revealed]
    counts = torch.bincount(torch.tensor(shown), minlength=19)
    assert ((counts - counts.float().mean()).abs() < 4.5 * counts.float().mean().sqrt()).all()


PROOFS = {
    "attmask-high": MaskingProof(equation=high, one_ratio=True),
    "attmask-low": MaskingProof(equation=low, one_ratio=True),
    "attmask-hint": MaskingProof(equation=hint, one_ratio=True),
}
