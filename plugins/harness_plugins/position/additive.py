"""Absolute position encodings: vectors added to the inputs of queries and keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.slots import Position, attention_method


@attention_method("learnable-pe", slot="position_encoding")
class LearnablePositionEncoding(nn.Module):
    """Learned tables of column and row vectors, concatenated as [x, y]; one instance serves both branches of a pose regressor.

    Formula:
        p(y, x) = [C[x + s], R[y + s]], both tables (entries, d/2), drawn from U(0, 1)

    Shapes:
        (H, W) → additive encoding (N, d).

    Parameters:
        entries · d; 50d with the default table, for both branches together.

    Map:
        None of its own: it shapes the attention of the encoder layers.

    Source:
        Shavit, Ferens, Keller, ICCV 2021, ``PositionEmbeddingLearned`` of yolish/multi-scene-pose-transformer and of
        dlalth557/ActMST: 50 entries, s = 0, and their ``Joiner`` encodes both feature maps with one module. (The tables of 60
        entries and s = 1 in the same file go with a pose token, which the multi-scene models turn off.) Compared with
        ``mmdet.LearnedPositionalEncoding``.

    Args:
        dim: width d of the tokens; even.
        heads: not used.
        entries: length of each table; the map's sides plus ``start`` must not exceed it.
        start: index s of the first row and column.
    """

    shared = True

    def __init__(self, dim: int, heads: int, entries: int = 50, start: int = 0):
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim ({dim}) is odd; half of it encodes the row, half the column")
        self.start = start
        self.column = nn.Embedding(entries, dim // 2)
        self.row = nn.Embedding(entries, dim // 2)
        nn.init.uniform_(self.column.weight)
        nn.init.uniform_(self.row.weight)

    def forward(self, h: int, w: int) -> Position:
        """The additive encoding (h w, d) of a map of h rows and w columns.

        Raises:
            ValueError: the map is larger than the tables.
        """
        stop = self.start + max(h, w)
        if stop > self.row.num_embeddings:
            raise ValueError(f"a map of {h} x {w} needs {stop} entries, the table has {self.row.num_embeddings}: set entries")
        x = self.column.weight[self.start : self.start + w].expand(h, w, -1)
        y = self.row.weight[self.start : self.start + h, None].expand(h, w, -1)
        return Position(additive=torch.cat([x, y], dim=-1).flatten(0, 1))


@attention_method("fixed-sine-2d-pe", slot="position_encoding")
class FixedSinePositionEncoding(nn.Module):
    """Fixed sines and cosines of row and column, concatenated as [y, x].

    Wraps ``mmdet.SinePositionalEncoding``, whose formula is the same.

    Formula:
        feature 2i of an axis: sin(pos / T^(2i/P)), feature 2i + 1: cos(pos / T^(2i/P)); P = d/2 per axis, positions from 1

    Shapes:
        (H, W) → additive encoding (N, d).

    Parameters:
        0.

    Map:
        None of its own: it shapes the attention of the encoder layers.

    Source:
        Carion et al., ECCV 2020, in the form of ``pencoder.PositionEmbeddingSine`` of dlalth557/ActMST: no normalisation (DETR
        itself scales positions to 2π). Compared with its formula.

    Args:
        dim: width d of the tokens; a multiple of 4.
        heads: not used.
        temperature: T.
        normalize: positions over the map's side, times 2π, as DETR does.
    """

    def __init__(self, dim: int, heads: int, temperature: int = 10000, normalize: bool = False):
        super().__init__()
        if dim % 4:
            raise ValueError(f"dim ({dim}) is not a multiple of 4: sine and cosine, for rows and for columns")
        from mmdet.models.layers import SinePositionalEncoding

        self.encode = SinePositionalEncoding(dim // 2, temperature=temperature, normalize=normalize)
        self.register_buffer("device_probe", torch.empty(0), persistent=False)

    def forward(self, h: int, w: int) -> Position:
        """The additive encoding (h w, d) of a map of h rows and w columns."""
        nothing_masked = torch.zeros(1, h, w, dtype=torch.bool, device=self.device_probe.device)
        encoded: Tensor = self.encode(nothing_masked)[0]
        return Position(additive=encoded.flatten(1).T)
