"""Encoder layers whose weight matrices are divided by their largest singular value."""

from __future__ import annotations

from typing import Literal

import torch
from harness_plugins.encoder.layer import EncoderLayer
from harness_plugins.pooling.frame import one_of
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from harness.slots import attention_method


class SpectralScale(nn.Module):
    """Parametrization W -> scale * W / sigma(W), sigma the largest singular value.

    The singular vectors u, v start from the exact decomposition and follow W by one power iteration per training
    pass. The iteration is outside the graph; gradients flow through sigma = u^T W v. Always in float32: under
    autocast the iteration would lose its digits.

    Args:
        weight: (out, in), the initial matrix.
        learned: whether the scale is a parameter or stays as it starts.
        start: the scale at first; sigma(W_0), which leaves W_0 as it is, if not given.
    """

    def __init__(self, weight: Tensor, *, learned: bool, start: float | None = None):
        super().__init__()
        u, s, vh = torch.linalg.svd(weight.detach().float(), full_matrices=False)
        self.register_buffer("u", u[:, 0].clone())
        self.register_buffer("v", vh[0].clone())
        scale = s[0].clone() if start is None else torch.tensor(start)
        if learned:
            self.scale = nn.Parameter(scale)
        else:
            self.register_buffer("scale", scale)

    @torch.no_grad()
    def _follow(self, weight: Tensor) -> None:
        v = F.normalize(weight.T @ self.u, dim=0)
        self.u.copy_(F.normalize(weight @ v, dim=0))
        self.v.copy_(v)

    def forward(self, weight: Tensor) -> Tensor:
        """(out, in) -> (out, in)."""
        with torch.autocast(weight.device.type, enabled=False):
            if self.training:
                self._follow(weight)
            # copies: a second pass before the backward pass must not change what autograd has saved
            sigma = torch.dot(self.u.clone(), weight @ self.v.clone())
            return weight * (self.scale / sigma)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The stored matrix is the given one."""
        return weight


def _linears(layer: EncoderLayer, matrices: str) -> list[nn.Linear]:
    attention = layer.attention
    projections = [attention.query, attention.key, attention.value, attention.out]
    return projections + ([layer.expand, layer.contract] if one_of("matrices", matrices, ("all", "attention")) == "all" else [])


@attention_method("improved-sn", slot="encoder_attention")
class ImprovedSpectralNormLayer(EncoderLayer):
    """Encoder layer with improved spectral normalisation: matrices keep the spectral norm they start with.

    Per projection of q, k and v, not for their stack. σ(W_init) is that of the initialisation and is kept with the
    weights, not taken anew from a loaded checkpoint.

    Formula:
        Ŵ = σ(W_init) W / σ(W), σ the largest singular value

    Shapes:
        (B, N, d) and the position of its N tokens → (B, N, d).

    Parameters:
        4d² + 4d + 2df + f + d + 4d, those of :class:`EncoderLayer`.

    Map:
        ``attention`` (B, heads, N, N), with ``q``, ``k`` (B, heads, N, d_h).

    Source:
        Lee et al., ICLR 2022, section 3.2; compared as "Improved SN" in table 5a of Lee, Kim, Heo, NeurIPS 2024. Which
        matrices are meant is not said there.

    Args:
        matrices: ``all`` six of the layer, or the four of the ``attention``.
    """

    query_key = EncoderLayer.query_key

    def __init__(
        self, dim: int, heads: int, ffn_dim: int, dropout: float = 0.1, depth: int = 6, matrices: Literal["all", "attention"] = "all"
    ):
        super().__init__(dim, heads, ffn_dim, dropout, depth)
        for linear in _linears(self, matrices):
            parametrize.register_parametrization(linear, "weight", SpectralScale(linear.weight, learned=False))


@attention_method("sigma-reparam", slot="encoder_attention")
class SigmaReparamLayer(EncoderLayer):
    """Encoder layer with σ-reparametrisation: each matrix has a learned spectral norm.

    γ is a scalar per matrix. It keeps the attention's entropy from collapsing.

    Formula:
        Ŵ = γ W / σ(W), σ the largest singular value

    Shapes:
        (B, N, d) and the position of its N tokens → (B, N, d).

    Parameters:
        4d² + 4d + 2df + f + d + 4d, those of :class:`EncoderLayer`, and one per matrix.

    Map:
        ``attention`` (B, heads, N, N), with ``q``, ``k`` (B, heads, N, d_h).

    Source:
        Zhai et al., ICML 2023; ``vision/layers.py`` of apple/ml-sigma-reparam. Compared in table 5a of Lee, Kim, Heo,
        NeurIPS 2024.

    Args:
        matrices: ``all`` six of the layer, or the four of the ``attention``.
        init: ``xavier`` as the host model, or ``trunc-normal`` (std 0.02) as the authors' code.
        keep_norm: False replaces the layer's normalisation by identity, as the authors' vision code does.
        gamma: where γ starts: ``sigma`` at σ(W_0), so that Ŵ = W at first (the authors' code), or at ``one`` (as often quoted).
    """

    query_key = EncoderLayer.query_key

    def __init__(
        self,
        dim: int,
        heads: int,
        ffn_dim: int,
        dropout: float = 0.1,
        depth: int = 6,
        matrices: Literal["all", "attention"] = "all",
        init: Literal["xavier", "trunc-normal"] = "xavier",
        keep_norm: bool = True,
        gamma: Literal["sigma", "one"] = "sigma",
    ):
        super().__init__(dim, heads, ffn_dim, dropout, depth)
        if not keep_norm:
            self.norm1, self.norm2 = nn.Identity(), nn.Identity()
        start = None if one_of("gamma", gamma, ("sigma", "one")) == "sigma" else 1.0
        for linear in _linears(self, matrices):
            if one_of("init", init, ("xavier", "trunc-normal")) == "trunc-normal":
                nn.init.trunc_normal_(linear.weight, std=0.02)
            parametrize.register_parametrization(linear, "weight", SpectralScale(linear.weight, learned=True, start=start))
