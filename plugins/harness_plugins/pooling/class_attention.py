"""Pooling by a class token: the [CLS] token of ViT and the class attention of CaiT."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.slots import attention_method, observe


class ClassAttention(nn.Module):
    """One query, the class token, attends to itself and the N tokens with h heads.

    In the frame: U⁰ the class token; φ_Q, φ_K, φ_V linear with bias; s a dot product per head, scaled by 1/√d_h; A a
    softmax; f_{-1}. W_K is applied to the h head queries, W_V to the h weighted means: O(hNd + d²), not O(Nd²).

    Parameters: 3d² + 3d.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels do not divide into {heads} heads; choose heads that divide the channels")
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(channels, channels) for _ in range(3))

    def forward(self, token: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            token: the class token as query, key and value, (B, 1, d), or (1, 1, d) while all images share it.
            x: the other tokens, (B, N, d).

        Returns:
            The attended token (B, 1, d), and A (B, h, 1 + N), the class token's own weight first.
        """
        d = x.shape[-1]
        split = (self.heads, d // self.heads)
        q = self.query(token).view(-1, *split) * split[1] ** -0.5
        keys = torch.einsum("bhe,hed->bhd", q, self.key.weight.view(*split, d))
        # The key bias shifts all logits of a head alike; kept so that it is trained as in the authors' code.
        shift = torch.einsum("bhe,he->bh", q, self.key.bias.view(*split)).unsqueeze(-1)
        own = torch.bmm(keys, token.transpose(1, 2)).expand(x.shape[0], -1, -1)
        others = torch.bmm(keys.expand(x.shape[0], -1, -1), x.transpose(1, 2))
        logits = torch.cat((own, others), -1) + shift
        a = logits.softmax(-1).to(logits.dtype)
        means = a[..., :1] * token + torch.bmm(a[..., 1:], x)
        values = torch.einsum("bhd,hed->bhe", means, self.value.weight.view(*split, d))
        return values.flatten(1).unsqueeze(1) + self.value.bias, a


@attention_method("vit-cls", slot="pooling")
class ViTClassToken(nn.Module):
    """The [CLS] token as a pool of its own: a zero-initialised token attends once to itself and all tokens.

    Formula:
        z_h = Σ_i softmax_i(W_Q,h c · W_K,h x_i / √d_h) W_V,h x_i over [c; x_1 … x_N], heads concatenated

        In the frame: U⁰ = c; φ_Q, φ_K, φ_V linear with bias; s a dot product per head; A softmax; f_{-1}.

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        3d² + 4d (query, key, value with bias and the token; no output projection).

    Map:
        ``map`` (B, h, H, W), without the token's own weight.

    Source:
        Dosovitskiy et al., ICLR 2021, section 3.1, in the form of ``ViTPooling`` of billpsomas/simpool, which computes all
        N + 1 queries and returns the first; only that one is computed here. A ViT's own [CLS] is
        ``mmpretrain.VisionTransformer(out_type='cls_token')``, a backbone and no pool. Compared with its equations.

    Args:
        channels: d.
        heads: h; 4 in simpool's ``ViTPooling``.
    """

    query_key = ("attention.query", "attention.key")

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, channels))
        self.attention = ClassAttention(channels, heads)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C)."""
        grid = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2)
        token, a = self.attention(self.token, x)
        observe(self, map=lambda: a[..., 1:].unflatten(-1, grid))
        return token.squeeze(1)


class ClassAttentionBlock(nn.Module):
    """c += γ₁·proj(CA(LN([c; x]))); c += γ₂·MLP(LN(c)), with LayerScale vectors γ. 12d² + 15d parameters."""

    def __init__(self, channels: int, heads: int, mlp_ratio: float, layer_scale: float) -> None:
        super().__init__()
        hidden = int(channels * mlp_ratio)
        self.norm_attention = nn.LayerNorm(channels, eps=1e-6)
        self.attention = ClassAttention(channels, heads)
        self.project = nn.Linear(channels, channels)
        self.norm_mlp = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))
        self.scale_attention = nn.Parameter(torch.full((channels,), layer_scale))
        self.scale_mlp = nn.Parameter(torch.full((channels,), layer_scale))

    def forward(self, token: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The new class token (B, 1, d) and its attention (B, h, 1 + N)."""
        attended, a = self.attention(self.norm_attention(token), self.norm_attention(x))
        token = token + self.scale_attention * self.project(attended)
        return token + self.scale_mlp * self.mlp(self.norm_mlp(token)), a


@attention_method("cait-class-attention", slot="pooling")
class CaiTClassAttention(nn.Module):
    """Class-attention blocks on a learned token, then a LayerNorm.

    Formula:
        c ← c + γ_1 · W_O CA(LN([c; x]));  c ← c + γ_2 · MLP(LN(c)), once per block;  z = LN(c)

        CA as in vit-cls; γ are LayerScale vectors; x is the same in every block.

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        blocks · (12d² + 15d) + 3d (token, final norm) at ``mlp_ratio`` 4.

    Map:
        ``map`` (B, h, H, W) of the last block, without the token's own weight.

    Source:
        Touvron et al., ICCV 2021, section 3; ``cait_models.py`` of facebookresearch/deit; ``CAPooling`` of
        billpsomas/simpool. Compared with its equations; there is no CaiT in OpenMMLab.

    Args:
        channels: d.
        blocks: 1 in simpool's ``CAPooling``, 2 in CaiT.
        heads: 4 in simpool's, 8 in CaiT-S.
        layer_scale: initial LayerScale; 1e-5 in simpool's and in CaiT at depth 24. So small a scale leaves the pool a
            constant, LN(token), for a while: short schedules under-train it.
        mlp_ratio: hidden width of the MLP over d.
        norm_eps: ε of the last LayerNorm; CaiT's. simpool's ``CAPooling`` has PyTorch's 1e-5 there.
    """

    def __init__(
        self,
        channels: int,
        blocks: int = 1,
        heads: int = 4,
        layer_scale: float = 1e-5,
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        if blocks < 1:
            raise ValueError(f"blocks is {blocks}; at least one is needed")
        self.token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, channels), std=0.02))
        self.blocks = nn.ModuleList(ClassAttentionBlock(channels, heads, mlp_ratio, layer_scale) for _ in range(blocks))
        self.norm = nn.LayerNorm(channels, eps=norm_eps)
        self.query_key = tuple(f"blocks.{index}.attention.{name}" for index in range(blocks) for name in ("query", "key"))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C)."""
        grid = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2)
        token, a = self.token, None
        for block in self.blocks:
            token, a = block(token, x)
        observe(self, map=lambda: a[..., 1:].unflatten(-1, grid))
        return self.norm(token.squeeze(1))
