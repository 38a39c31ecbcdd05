"""The local relation layer."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from proofs import slow
from proofs.blocks import BlockProof
from proofs.proof import D, H, N, Offer, W
from proofs.slow import State


def local_relation(x: Tensor, state: State, kernel_size: int = 7, group: int = 8, similarity: str = "squared-difference") -> Tensor:
    half = kernel_size // 2
    compare = {
        "squared-difference": lambda q, k: -((q - k) ** 2),
        "absolute-difference": lambda q, k: -abs(q - k),
        "product": lambda q, k: q * k,
    }[similarity]

    def prior(a: int, b: int) -> Tensor:
        offset = x.new_tensor([a / max(half, 1), b / max(half, 1)])
        return slow.linear(state, "geometry.2", slow.relu(slow.linear(state, "geometry.0", offset)))

    images = []
    for image in x:
        height, width = image.shape[1:]
        rows = []
        for i in range(height):
            row = []
            for j in range(width):
                window = [
                    (a, b) for a in range(-half, half + 1) for b in range(-half, half + 1) if 0 <= i + a < height and 0 <= j + b < width
                ]
                q = slow.linear(state, "query", image[:, i, j])
                logits = [compare(q, slow.linear(state, "key", image[:, i + a, j + b])) + prior(a, b) for a, b in window]
                y = []
                for m in range(len(image) // group):
                    weights = slow.softmax([logit[m] for logit in logits])
                    y.append(slow.weighted(weights, [image[m * group : (m + 1) * group, i + a, j + b] for a, b in window]))
                row.append(slow.linear(state, "out", torch.cat(y)))
            rows.append(torch.stack(row, dim=1))
        images.append(torch.stack(rows, dim=1))
    return torch.stack(images)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    weights = offers[0]["neighbours"]
    groups, window = weights.shape[1], weights.shape[3]
    values = F.unfold(x, m.kernel_size, padding=m.kernel_size // 2).unflatten(1, (groups, -1, window))
    return m.out(torch.einsum("bgmkn,bgnk->bgmn", values, weights).flatten(1, 2).unflatten(2, x.shape[2:]))


PROOFS = {
    "lr-net-local-relation": BlockProof(
        formula=local_relation,
        params=lambda d: d**2 + d + 2 * (d**2 / 8 + d / 8) + 3 * d / 8 + (d / 8) ** 2 + d / 8,
        variants=({"kernel_size": 3, "similarity": "absolute-difference"}, {"kernel_size": 3, "group": 4, "similarity": "product"}),
        places="windows",
        flops=lambda d, n: 49 * (4 * (d // 8) + 2 * (d // 8) ** 2) + (4 * d * (d // 8) + 2 * d * d) * n,
        offers={"neighbours": (D // 8, N, 49), "map": (D // 8, H, W)},
        not_one="what a position receives from all windows, one on average",
        rebuilt=rebuilt,
    )
}
