"""Relative position encodings: a bias of the logits, and a rotation of queries and keys."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from harness.slots import Position, attention_method


def bucket(offset: Tensor, buckets: int, max_distance: int) -> Tensor:
    """T5's bidirectional buckets of relative positions j - i.

    Half of the buckets belong to each sign. Of one half, the first half holds one offset each; the rest grow
    logarithmically up to ``max_distance``, beyond which all offsets share the last.
    """
    half = buckets // 2
    exact = half // 2
    distance = offset.abs()
    far = exact + (torch.log(distance.clamp(min=1) / exact) / math.log(max_distance / exact) * (half - exact)).long()
    return (offset > 0) * half + torch.where(distance < exact, distance, far.clamp(max=half - 1))


@attention_method("t5-relative-pe", slot="position_encoding")
class T5RelativePosition(nn.Module):
    """Learned bias per head and bucketed relative position, for rows and columns apart.

    One table for all layers, zero at first. T5 itself is one-dimensional.

    Formula:
        b_a(i, j) = R_a[bucket(y_j − y_i)] + C_a[bucket(x_j − x_i)], added to q · k / √d_h of head a

    Shapes:
        (H, W) → bias (heads, N, N).

    Parameters:
        2 · buckets · heads.

    Map:
        None of its own: it shapes the attention of the encoder layers.

    Source:
        Raffel et al., JMLR 2020, section 2.1. Compared in table 5b of Lee, Kim, Heo, NeurIPS 2024, which does not state the 2-D
        form.

    Args:
        dim: not used.
        heads: number of heads.
        buckets: of relative positions, both signs together; a multiple of 4.
        max_distance: from which on all offsets share a bucket.
        scaled: whether q · k is divided by √d_h, as in the host; T5 itself (False) does not.
    """

    def __init__(self, dim: int, heads: int, buckets: int = 32, max_distance: int = 128, scaled: bool = True):
        super().__init__()
        if buckets % 4 or max_distance <= buckets // 4:
            raise ValueError(f"buckets ({buckets}) must be a multiple of 4 and max_distance ({max_distance}) above a quarter of them")
        self.buckets, self.max_distance, self.scaled = buckets, max_distance, scaled
        self.row = nn.Parameter(torch.zeros(heads, buckets))
        self.column = nn.Parameter(torch.zeros(heads, buckets))

    def _table(self, table: Tensor, side: int) -> Tensor:
        index = torch.arange(side, device=table.device)
        return table[:, bucket(index - index[:, None], self.buckets, self.max_distance)]

    def forward(self, h: int, w: int) -> Position:
        """The bias (heads, h w, h w) of a map of h rows and w columns."""
        rows, columns = self._table(self.row, h), self._table(self.column, w)
        bias = rows[:, :, None, :, None] + columns[:, None, :, None, :]
        # √d_h of the host is taken back, half of it from the queries and half from the keys
        unscale = None if self.scaled else lambda t: t * t.shape[-1] ** 0.25
        return Position(bias=bias.flatten(3, 4).flatten(1, 2), rotate=unscale)


@attention_method("rotary-pe", slot="position_encoding")
class RotaryPosition(nn.Module):
    """Axial rotary encoding: channel pairs of queries and keys turn with the row and the column.

    Norms are kept, and q · k depends on the offset between tokens only.

    Formula:
        the pair (2m, 2m + 1) turns by y θ_m in the first half of a head's d_h channels, by x θ_m in the second
        θ_m = T^(−2m / (d_h/2))

    Shapes:
        (H, W) → a rotation of queries and keys (B, heads, N, d_h).

    Parameters:
        0.

    Map:
        None of its own: it shapes the attention of the encoder layers.

    Source:
        Su et al., 2021, section 3.2. Compared in table 5b of Lee, Kim, Heo, NeurIPS 2024, which does not state the 2-D form.
        ``mmpretrain.RotaryEmbeddingFast`` gives the two channels of a pair different angles, which is no rotation, hence not
        wrapped.

    Args:
        dim: width d of the tokens.
        heads: number of heads; d_h = dim / heads is a multiple of 4.
        temperature: T.
    """

    def __init__(self, dim: int, heads: int, temperature: float = 10000.0):
        super().__init__()
        width = dim // heads
        if width % 4:
            raise ValueError(f"a head is {width} wide; rotary encoding in 2-D needs a multiple of 4")
        speed = temperature ** (-torch.arange(0, width // 2, 2) / (width // 2))
        self.register_buffer("speed", speed, persistent=False)

    def forward(self, h: int, w: int) -> Position:
        """The rotation for a map of h rows and w columns; maps (B, heads, h w, d_h) to the same shape."""
        y, x = torch.arange(h, device=self.speed.device), torch.arange(w, device=self.speed.device)
        rows = (y[:, None, None] * self.speed).expand(h, w, -1)
        columns = (x[None, :, None] * self.speed).expand(h, w, -1)
        angle = torch.cat([rows, columns], dim=-1).flatten(0, 1)
        cos, sin = angle.cos(), angle.sin()

        def rotate(t: Tensor) -> Tensor:
            even, odd = t.unflatten(-1, (-1, 2)).unbind(-1)
            c, s = cos.to(t.dtype), sin.to(t.dtype)
            turned = torch.addcmul(even * c, odd, s, value=-1), torch.addcmul(even * s, odd, c)
            return torch.stack(turned, dim=-1).flatten(-2)

        return Position(rotate=rotate)
