"""Optimal transport to learned references."""

from __future__ import annotations

import torch
from torch import Tensor

from proofs import fast, slow
from proofs.pooling import PoolingProof, one_of
from proofs.proof import H, W
from proofs.slow import State


def otk(
    x: Tensor,
    state: State,
    k: int = 3,
    eps: float = 25.0,
    iterations: int = 10,
    similarity: str = "dot",
    balanced: bool = True,
    reduce: str = "max",
) -> Tensor:
    w = state["references"]

    def pool(tokens: list[Tensor]) -> Tensor:
        score = [[t @ r if similarity == "dot" else -((t - r) ** 2).sum() for r in w] for t in tokens]
        kernel = torch.stack([torch.exp(torch.stack(row) / eps) for row in score])
        u, v = torch.ones(len(tokens), dtype=x.dtype), torch.ones(k, dtype=x.dtype)
        for _ in range(iterations):
            if balanced:
                u = (k / len(tokens)) / (kernel @ v)
            v = 1 / (kernel.T @ u)
        plan = u[:, None] * kernel * v
        return one_of([sum(plan[i, j] * t for i, t in enumerate(tokens)) for j in range(k)], reduce)

    return slow.pooled(pool, x)


PROOFS = {
    # three references
    "otk": PoolingProof(
        formula=otk,
        params=lambda d: 3 * d,
        variants=(
            {"eps": 1.0, "iterations": 4},
            {"similarity": "l2", "k": 2, "iterations": 2, "reduce": "mean"},
            {"balanced": False, "k": 1},
        ),
        flops=lambda d, n: 4 * 3 * d * n,
        offers={"map": (3, H, W)},
        rebuilt=lambda m, x, offers: fast.pooled(x, offers).amax(1),
    )
}
