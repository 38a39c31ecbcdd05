"""Point-wise spatial attention."""

from __future__ import annotations

from math import isqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from proofs import fast
from proofs.context import ContextProof, agree, build, image, unbatched
from proofs.proof import N, Offer


def compare(size: tuple[int, int], shrink: int, window: tuple[int, int]) -> None:
    ours = build("psanet", mask_size=window, shrink_factor=shrink)

    def direction(branch: Any, x: Tensor, small: tuple[int, int], odd: bool) -> Tensor:
        r = branch.reduce(x)
        r = F.interpolate(r, size=small, mode="bilinear", align_corners=odd) if shrink > 1 else r
        a, (height, width) = branch.attention(r), small
        out = torch.zeros_like(r[0])
        for i in range(height * width):
            logits = []
            for j in range(height * width):
                # collect: i's own window, seen from i; distribute: j's window, seen from j
                centre, other = (j, i) if branch.distribute else (i, j)
                row = other // width - centre // width + window[0] // 2
                column = other % width - centre % width + window[1] // 2
                inside = 0 <= row < window[0] and 0 <= column < window[1]
                logits.append(a[0, row * window[1] + column, centre // width, centre % width] if inside else a.new_zeros(()))
            weights = torch.stack(logits).softmax(0)
            out[:, i // width, i % width] = sum(w * r[0, :, j // width, j % width] for j, w in enumerate(weights))
        return out[None]

    def equation(x: Tensor) -> Tensor:
        odd = all(side % shrink for side in x.shape[2:])
        small = tuple(-(-side // shrink) if odd else side // shrink for side in x.shape[2:])
        z = ours.proj(torch.cat([direction(b, x, small, odd) for b in (ours.collect, ours.distribute)], 1))
        return ours.bottleneck(torch.cat([x, F.interpolate(z, size=x.shape[2:], mode="bilinear", align_corners=odd)], 1))

    agree(ours, unbatched(equation), image(*size))


def equals_the_equation() -> None:
    for size, shrink, window in (((4, 5), 1, (7, 9)), ((5, 4), 1, (3, 5)), ((6, 8), 2, (5, 7)), ((5, 7), 2, (5, 7))):
        compare(size, shrink, window)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    parts = []
    for i, branch in enumerate((m.collect, m.distribute)):
        small = F.interpolate(branch.reduce(x), scale_factor=0.5, mode="bilinear")
        parts.append(fast.back(offers[0]["attention"][:, i] @ fast.tokens(small), small))
    z = F.interpolate(m.proj(torch.cat(parts, 1)), x.shape[2:], mode="bilinear")
    return m.bottleneck(torch.cat([x, z], 1))


def _params(c: int, r: int) -> int:
    return 2 * (c * r + 2 * r + r * r + 2 * r + r * 97 * 97) + 2 * r * c + 2 * c + 18 * c * c + 2 * c


PROOFS = {
    # on the grid of half the sides, n / 4 positions, which reach (isqrt(n) - 1)^2 of a window
    "psanet": ContextProof(
        equation=equals_the_equation,
        params=lambda c, m: _params(c, c // 4),
        small={"mask_size": [7, 9]},
        rows=(2, 6, 6),
        places="a logit for each offset",
        flops=lambda d, n: (d * d + 36 * d * d) * n + (d * d // 4 + d * (isqrt(n) - 1) ** 2 + d * d) * (n // 4) + d * (n // 4) ** 2,
        offers={"attention": (2, N // 4, N // 4)},
        matrix="its logits are gathered for every pair of the small grid",
        rebuilt=rebuilt,
    )
}
