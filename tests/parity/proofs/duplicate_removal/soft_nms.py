"""Soft non-maximum suppression."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from proofs.duplicate_removal import overlap
from proofs.proof import EquationProof
from proofs.relation import boxes, build, sample


def decayed(places: Tensor, scores: Tensor, decay: str, sigma: float, threshold: float) -> Tensor:
    """Figure 2 of the paper, for one class: (R, 4), (R,) -> (R,)."""
    left, found = {i: scores[i].item() for i in range(len(scores))}, {}
    while left:
        best = max(left, key=left.__getitem__)
        found[best] = left.pop(best)
        for i in left:
            o = overlap(places[best], places[i]).item()
            left[i] *= math.exp(-o * o / sigma) if decay == "gaussian" else (1 - o if o > threshold else 1)
    return torch.tensor([found[i] for i in range(len(scores))], dtype=torch.double)


def equals_its_algorithm() -> None:
    places, scores = boxes(12, 3), sample(12, 3).sigmoid()
    for decay, sigma, threshold in (("gaussian", 0.5, 0.3), ("gaussian", 0.1, 0.3), ("linear", 0.5, 0.3), ("linear", 0.5, 0.1)):
        module = build("soft-nms", channels=4, decay=decay, sigma=sigma, threshold=threshold)
        expected = torch.stack([decayed(places[:, k], scores[:, k], decay, sigma, threshold) for k in range(3)], 1)
        torch.testing.assert_close(module(sample(12, 4), places, scores), expected, rtol=1e-12, atol=0)
        assert (expected < scores).any()


PROOFS = {
    "soft-nms": EquationProof(
        equation=equals_its_algorithm,
        flops=lambda d, n: 0,
        offers="a fixed rule of scores and overlaps",
    )
}
