"""Pre-norm transformer encoder layer: the baseline of the ``encoder_attention`` slot and base of its variants."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.slots import Position, attention_method


class SelfAttention(nn.Module):
    """Multi-head self-attention whose queries and keys see the position, and whose values do not.

    Q = W_q (u + p), K = W_k (u + p), V = W_v u; softmax(QK^T / sqrt(d_h) + b) V per head, then W_o. The N x N map is
    formed only for an observer that asks for it.

    Parameters: 4 d^2 + 4 d. Complexity: O(N^2 d + N d^2).

    Args:
        dim: width d of the tokens.
        heads: number of heads; divides ``dim``.
        dropout: of the attention weights.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0):
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim ({dim}) is not a multiple of heads ({heads})")
        self.heads = heads
        self.dropout = dropout
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))
        for linear in (self.query, self.key, self.value):
            # the authors draw q, k and v as one (3d, d) matrix, which makes Xavier's bound smaller by sqrt(2)
            nn.init.xavier_uniform_(linear.weight, gain=1 / math.sqrt(2))
        nn.init.xavier_uniform_(self.out.weight)
        for linear in (self.query, self.key, self.value, self.out):
            nn.init.zeros_(linear.bias)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, position: Position) -> Tensor:
        """(B, N, d) -> (B, N, d)."""
        placed = x if position.additive is None else x + position.additive
        q, k, v = self._split(self.query(placed)), self._split(self.key(placed)), self._split(self.value(x))
        bias = None if position.bias is None else position.bias.to(q.dtype)
        turned_q, turned_k = (q, k) if position.rotate is None else (position.rotate(q), position.rotate(k))
        # q and k themselves: a rotation that differs from token to token moves their means, which the loss and diagnostics compare
        slots.observe(self, q=q, k=k, attention=lambda: attention_map(turned_q, turned_k, bias))
        y = F.scaled_dot_product_attention(turned_q, turned_k, v, attn_mask=bias, dropout_p=self.dropout if self.training else 0.0)
        return self.out(y.transpose(1, 2).flatten(2))


def attention_map(q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d_h) + bias) of (B, heads, N, d_h) queries and keys; rows sum to 1."""
    logits = (q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
    return torch.softmax(logits if bias is None else logits + bias, dim=-1)


@attention_method("encoder-layer", slot="encoder_attention")
class EncoderLayer(nn.Module):
    """Encoder layer of the Multi-Scene Transformer (pre-norm, GELU), after DETR's.

    The position is added anew to queries and keys in every layer. All matrices start Xavier-uniform.

    Formula:
        x ← x + drop(SA(LN_1 x));  x ← x + drop(W_2 drop(GELU(W_1 LN_2 x)))

    Shapes:
        (B, N, d) and the position of its N tokens → (B, N, d).

    Parameters:
        4d² + 4d + 2df + f + d + 4d.

    Map:
        ``attention`` (B, heads, N, N), with ``q``, ``k`` (B, heads, N, d_h).

    Source:
        Shavit, Ferens, Keller, ICCV 2021; ``models/transposenet/transformer_encoder.py`` of
        yolish/multi-scene-pose-transformer.

    Args:
        dim: width d of the tokens.
        heads: number of heads.
        ffn_dim: hidden width f of the feed-forward part.
        dropout: of the attention weights, the hidden units and both residual branches.
        depth: number of layers of the encoder this one belongs to.
    """

    residual_scale = 1.0
    query_key = ("attention.query", "attention.key")

    def __init__(self, dim: int, heads: int, ffn_dim: int, dropout: float = 0.1, depth: int = 6):
        super().__init__()
        self.depth = depth
        self.norm1 = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads, dropout)
        self.norm2 = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, ffn_dim)
        self.contract = nn.Linear(ffn_dim, dim)
        self.drop = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.expand.weight)
        nn.init.xavier_uniform_(self.contract.weight)

    def forward(self, x: Tensor, position: Position) -> Tensor:
        """(B, N, d) and the position of its N tokens -> (B, N, d)."""
        x = x + self.residual_scale * self.drop(self.attention(self.norm1(x), position))
        return x + self.residual_scale * self.drop(self.feed_forward(self.norm2(x)))

    def feed_forward(self, x: Tensor) -> Tensor:
        """W_2 drop(GELU(W_1 x)), (B, N, d) -> (B, N, d)."""
        return self.contract(self.drop(F.gelu(self.expand(x))))


@attention_method("inv-sqrt-l-scaling", slot="encoder_attention")
class InverseSqrtDepthLayer(EncoderLayer):
    """Encoder layer whose residual branches are scaled by 1/√L, under which the ranks of the tokens do not collapse with depth.

    Formula:
        x ← x + f(x) / √L for the attention and the feed-forward branch, L the number of layers (not of tokens)

    Shapes:
        (B, N, d) and the position of its N tokens → (B, N, d).

    Parameters:
        4d² + 4d + 2df + f + d + 4d, those of :class:`EncoderLayer`.

    Map:
        ``attention`` (B, heads, N, N), with ``q``, ``k`` (B, heads, N, d_h).

    Source:
        Noci et al., NeurIPS 2022. Compared as "1/sqrt(L)-scaling" in table 5a of Lee, Kim, Heo, NeurIPS 2024, which does not
        define L; the depth is what the cited work is about.

    Args:
        depth: L.
    """

    query_key = EncoderLayer.query_key

    def __init__(self, dim: int, heads: int, ffn_dim: int, dropout: float = 0.1, depth: int = 6):
        super().__init__(dim, heads, ffn_dim, dropout, depth)
        self.residual_scale = 1 / math.sqrt(depth)


@attention_method("no-encoder-self-attention", slot="encoder_attention")
class FeedForwardLayer(nn.Module):
    """Encoder layer without self-attention: "just skip".

    LN_1, the attention and its residual branch are dropped, so the position reaches the model through the decoder's
    cross-attention only.

    Formula:
        x ← x + drop(W_2 drop(GELU(W_1 LN x))), with ``keep_norm`` after x ← x + drop(LN_1 x)

    Shapes:
        (B, N, d) and the position of its N tokens → (B, N, d).

    Parameters:
        2df + f + d + 2d, that is 4d² + 6d fewer than :class:`EncoderLayer`; 2d more with ``keep_norm``.

    Map:
        None: nothing attends in the encoder.

    Source:
        Ablation in Lee, Kim, Heo, NeurIPS 2024; whether the authors keep LN_1 is not said.

    Args:
        dim: width d of the tokens.
        heads: no effect.
        ffn_dim: hidden width f.
        dropout: of the hidden units and the residual branch.
        depth: no effect.
        keep_norm: the other reading of "skip": only the attention goes, LN_1 and the residual branch stay.
    """

    def __init__(self, dim: int, heads: int, ffn_dim: int, dropout: float = 0.1, depth: int = 6, keep_norm: bool = False):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim) if keep_norm else None
        self.norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, ffn_dim)
        self.contract = nn.Linear(ffn_dim, dim)
        self.drop = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.expand.weight)
        nn.init.xavier_uniform_(self.contract.weight)

    def forward(self, x: Tensor, position: Position) -> Tensor:
        """(B, N, d) -> (B, N, d); ``position`` is not used."""
        if self.norm1 is not None:
            x = x + self.drop(self.norm1(x))
        return x + self.drop(self.contract(self.drop(F.gelu(self.expand(self.norm(x))))))
