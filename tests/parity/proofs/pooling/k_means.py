"""k-means."""

from __future__ import annotations

from torch import Tensor

from proofs import fast, slow
from proofs.pooling import PoolingProof, one_of
from proofs.proof import H, W
from proofs.slow import State


def k_means(x: Tensor, state: State, k: int = 3, iterations: int = 3, reduce: str = "max") -> Tensor:
    def pool(tokens: list[Tensor]) -> Tensor:
        def gap_to(token: Tensor, others: list[Tensor]) -> float:
            return min(((token - o) ** 2).sum().item() for o in others)

        chosen = [max(tokens, key=lambda t: gap_to(t, [slow.mean(tokens)]))]
        while len(chosen) < k:
            chosen.append(max(tokens, key=lambda t: gap_to(t, chosen)))
        centres = chosen
        for _ in range(iterations):
            clusters: list[list[Tensor]] = [[] for _ in range(k)]
            for token in tokens:
                clusters[min(range(k), key=lambda j: ((token - centres[j]) ** 2).sum().item())].append(token)
            centres = [slow.mean(c) if c else centre for c, centre in zip(clusters, centres, strict=True)]
        return one_of(centres, reduce)

    return slow.pooled(pool, x)


PROOFS = {
    # three clusters, three rounds
    "k-means": PoolingProof(
        formula=k_means,
        params=lambda d: 0,
        variants=({"k": 5, "iterations": 6, "reduce": "mean"}, {"k": 1}),
        flops=lambda d, n: (2 * 3 + 3 * 4 * 3 + 2 * 3) * d * n,
        offers={"map": (3, H, W)},
        rebuilt=lambda m, x, offers: fast.pooled(x, offers).amax(1),
    )
}
