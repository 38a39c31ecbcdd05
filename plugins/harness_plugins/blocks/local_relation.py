"""Local relation layer of LR-Net."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method, observe


@attention_method("local-relation", slot="block")
class LocalRelation(nn.Module):
    """Local relation layer: each position gathers its k × k neighbours with weights from their similarity and offset.

    The weights are shared by groups of m channels, whose query and key are scalars: q = W_q x and k = W_k x have d/m channels. The
    geometry prior f is a small network 2 → d/m → ReLU → d/m on the offset, in units of the window's half-width. Values are x itself.
    At the border, the softmax is over the neighbours that exist.

    It takes the place of a 3×3 convolution (a benchmark's ``block_at`` with ``replace: true``) or follows any module; not
    identity at the start.

    Formula:
        y_p = W Σ_p' w(p', p) x_p' + b,  p' the k × k neighbours of p
        w(p', p) = softmax_p'(Φ(q_p, k_p') + f(p' − p)), once for each group of m channels
        Φ: −(q − k)² (squared-difference), −|q − k| (absolute-difference) or q k (product)

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        d² + d + 2(d²/m + d/m) + 3d/m + (d/m)² + d/m.

    Map:
        ``map`` (B, d/m, H, W), the weight that each position receives in all; also ``neighbours`` (B, d/m, N, k²), the weights w of
        each position's window in row-major order (sum 1).

    Source:
        Hu, Zhang, Xie, Lin, ICCV 2019, eq. 3-5. No official code; the width of the geometry network, the offsets' unit and the
        border rule are ours. Compared with its equations.

    Args:
        channels: d, a multiple of m.
        kernel_size: k, odd.
        group: m, channels that share weights.
        similarity: Φ; the paper's choice is ``squared-difference``.

    Raises:
        ValueError: an even window, channels that do not divide into groups, an unknown similarity.
    """

    query_key = ("query", "key")

    def __init__(
        self,
        channels: int,
        kernel_size: int = 7,
        group: int = 8,
        similarity: Literal["squared-difference", "absolute-difference", "product"] = "squared-difference",
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size}: a window has a centre, so its side is odd")
        if channels % group:
            raise ValueError(f"{channels} channels do not divide into groups of {group}")
        if similarity not in _SIMILARITY:
            raise ValueError(f"unknown similarity '{similarity}'; known: {', '.join(_SIMILARITY)}")
        groups = channels // group
        self.kernel_size, self.similarity = kernel_size, similarity
        self.query = nn.Conv2d(channels, groups, 1)
        self.key = nn.Conv2d(channels, groups, 1)
        self.geometry = nn.Sequential(nn.Linear(2, groups), nn.ReLU(), nn.Linear(groups, groups))
        self.out = nn.Conv2d(channels, channels, 1)
        side = torch.linspace(-1, 1, kernel_size) if kernel_size > 1 else torch.zeros(1)
        self.register_buffer("offsets", torch.cartesian_prod(side, side), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        batch, channels, height, width = x.shape
        weights = self._weights(x)
        groups = weights.shape[2]
        observe(self, neighbours=lambda: weights.flatten(3).permute(1, 2, 3, 0), map=lambda: self._received(weights))
        neighbours = self._shifted(x.unflatten(1, (groups, -1)))
        # one shifted view at a time: unfolding would hold k^2 copies of x
        y = sum(w.unsqueeze(2) * v for w, v in zip(weights, neighbours, strict=True))
        return self.out(y.reshape(batch, channels, height, width))

    def _weights(self, x: Tensor) -> Tensor:
        """(k^2, B, d/m, H, W), a softmax over the first axis."""
        q, k = self.query(x), self.key(x)
        prior = self.geometry(self.offsets)[:, None, :, None, None]
        inside = torch.stack(list(self._shifted(torch.ones_like(x[:1, :1]))))
        logits = torch.stack([_SIMILARITY[self.similarity](q, shifted) for shifted in self._shifted(k)])
        return (logits + prior).masked_fill(inside == 0, float("-inf")).softmax(0)

    def _received(self, weights: Tensor) -> Tensor:
        """Sum over p of w(p', p), (B, d/m, H, W)."""
        _, batch, groups, height, width = weights.shape
        columns = weights.permute(1, 2, 0, 3, 4).reshape(batch * groups, -1, height * width)
        received = F.fold(columns, (height, width), self.kernel_size, padding=self.kernel_size // 2)
        return received.view(batch, groups, height, width)

    def _shifted(self, x: Tensor) -> Iterator[Tensor]:
        """The map at each offset of the window, zero outside: k^2 views (..., H, W)."""
        height, width = x.shape[-2:]
        half = self.kernel_size // 2
        padded = F.pad(x, (half, half, half, half))
        for row in range(self.kernel_size):
            for column in range(self.kernel_size):
                yield padded[..., row : row + height, column : column + width]


_SIMILARITY = {
    "squared-difference": lambda q, k: -(q - k).square(),
    "absolute-difference": lambda q, k: -(q - k).abs(),
    "product": lambda q, k: q * k,
}
