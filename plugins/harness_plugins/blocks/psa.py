"""Polarized self-attention, in the paper's form and in that of the authors' code."""

from __future__ import annotations

from typing import Literal

from harness_plugins.blocks.tokens import pool, score
from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method, observe


@attention_method("psa-polarized", slot="block")
class PolarizedSelfAttention(nn.Module):
    """Polarized self-attention: each branch collapses one direction and keeps the other at high resolution.

    The official forms are those of DeLightCMU/PSA (``PSA_p``, ``PSA_s``), the paper forms those of the text; they are not
    the same method, and p and s differ in the official code in more than the composition. No variant begins as
    identity: the gates have no residual path. In ``official_p`` the spatial gate is the sigmoid of a softmax over all
    positions, hence close to 1/2 on large maps. Not to be confused with mmseg's ``PSAHead`` (PSANet).

    Where a sum over positions or a product with q follows a projection, the projection is applied afterwards to one
    vector, or folded into q: no map of d/2 channels is made except in ``official_s``, whose softmax needs it.

    Formula:
        channel gate  A^ch = sigmoid(up(c)),  c = W_v^ch Σ_j softmax_j(W_q^ch x_j) x_j,  d/2 wide
        spatial gate  A^sp = sigmoid(a),  q = W_q^sp mean_j(x_j),  k_j = W_v^sp x_j,  d/2 wide

        variant      up                                       a_j                   output
        official_p   conv d/2 → d                             softmax_j(q · k_j)    A^ch x + A^sp x
        official_s   conv d/2 → d/8, LN, ReLU, conv d/8 → d   q · softmax_j(k_j)    A^sp(z) z with z = A^ch x
        paper_p      conv d/2 → d, LN                         softmax_c(q) · k_j    A^ch x + A^sp x
        paper_s      conv d/2 → d, LN                         softmax_c(q) · k_j    A^sp(z) z with z = A^ch x

        The convolutions of official_s have biases, the others none.

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        ``official_p`` 2d² + d; ``official_s`` 1.6875d² + 2.375d; paper 2d² + 3d.

    Map:
        ``map``, the spatial gate (B, 1, H, W); also ``channel``, the channel gate (B, d, 1, 1).

    Source:
        Liu, Liu, Fan, Huang, arXiv 2107.00782, 2021, eq. 2-8; DeLightCMU/PSA. Compared with the equations of each variant.

    Args:
        channels: d, even (``official_s``: at least 8).
        variant: the row of the table.

    Raises:
        ValueError: an unknown variant, or too few channels.
    """

    query_key = ("channel_query", "spatial_query", "spatial_value")

    def __init__(self, channels: int, variant: Literal["official_p", "official_s", "paper_p", "paper_s"] = "official_p") -> None:
        super().__init__()
        if variant not in ("official_p", "official_s", "paper_p", "paper_s"):
            raise ValueError(f"unknown variant '{variant}'; known: official_p, official_s, paper_p, paper_s")
        half, eighth = channels // 2, channels // 8
        if channels % 2 or (variant == "official_s" and not eighth):
            raise ValueError(f"{channels} channels cannot be halved{' and divided by 8' if variant == 'official_s' else ''}")
        self.variant = variant
        self.channel_query = nn.Conv2d(channels, 1, 1, bias=False)
        self.channel_value = nn.Conv2d(channels, half, 1, bias=False)
        self.spatial_query = nn.Conv2d(channels, half, 1, bias=False)
        self.spatial_value = nn.Conv2d(channels, half, 1, bias=False)
        for conv in (self.channel_query, self.channel_value, self.spatial_query, self.spatial_value):
            nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
        self.up: nn.Module
        if variant == "official_s":
            self.up = nn.Sequential(nn.Linear(half, eighth), nn.LayerNorm(eighth), nn.ReLU(), nn.Linear(eighth, channels))
        else:
            self.up = nn.Linear(half, channels, bias=False)
            if variant != "official_p":
                self.up = nn.Sequential(self.up, nn.LayerNorm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        channel = self._channel_gate(x.flatten(2))[..., None, None]
        z = x * channel
        sequential = self.variant.endswith("_s")
        spatial = self._spatial_gate((z if sequential else x).flatten(2)).view(len(x), 1, *x.shape[2:])
        observe(self, map=spatial, channel=channel)
        return z * spatial if sequential else z + x * spatial

    def _channel_gate(self, x: Tensor) -> Tensor:
        """A^ch: (B, d, N) -> (B, d)."""
        attention = score(x, self.channel_query.weight.flatten()).softmax(-1)
        context = pool(x, attention) @ self.channel_value.weight.flatten(1).t()
        return self.up(context).sigmoid()

    def _spatial_gate(self, x: Tensor) -> Tensor:
        """A^sp: (B, d, N) -> (B, N)."""
        query = x.mean(-1) @ self.spatial_query.weight.flatten(1).t()
        keys = self.spatial_value.weight.flatten(1)
        if self.variant == "official_s":
            return score(F.conv1d(x, keys.unsqueeze(-1)).softmax(-1).to(query.dtype), query).sigmoid()
        if self.variant != "official_p":
            query = query.softmax(-1)
        logits = score(x, query @ keys)
        return (logits.softmax(-1) if self.variant == "official_p" else logits).sigmoid()
