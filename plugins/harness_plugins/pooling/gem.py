"""Generalised-mean pooling: uniform attention with the pooling function x ↦ x^p."""

from __future__ import annotations

import torch
from harness_plugins.pooling.frame import Pooling, full, one_of
from torch import Tensor

from harness.slots import attention_method


@attention_method("gem", slot="pooling")
class GeneralizedMeanPooling(Pooling):
    """Generalised mean: the frame with uniform A and f_α, p = γ = (1−α)/2.

    Computed as m ((1/N) Σ_i (max(x_i, ε)/m)^p)^(1/p) with m the largest of a channel: any m gives the same z, so m needs no
    gradient. In channels that are nowhere positive, ε^p is zero in single precision from p = 7.5 on, and the gradient of its root
    infinite.

    Formula:
        z = ((1/N) Σ_i max(x_i, ε)^p)^(1/p) per channel

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        1 (``mmpretrain`` and learnable) or 0.

    Map:
        Uniform: ``map`` (B, 1, H, W), 1/N everywhere.

    Source:
        Radenović, Tolias, Chum, TPAMI 2018, eq. 3; filipradenovic/cnnimageretrieval-pytorch. Compared with
        ``mmpretrain.GeneralizedMeanPooling`` and its equation.

    Args:
        channels: ignored; p is shared by all channels.
        p: the exponent, at least 1. 1 is the mean (of the clamped values), p → ∞ the maximum.
        learnable: whether p is trained.
        eps: lower clamp of the values.
        flavour: ``mmpretrain`` (default) is the formula above, by ``mmpretrain.GeneralizedMeanPooling``.
            ``simpool`` is that of billpsomas/simpool, an ``nn.LPPool2d`` over the whole map: the sum in
            place of the mean, nothing clamped below (so p must be an even integer), p fixed (there 2, on 7×7 maps).
    """

    def __init__(self, channels: int, p: float = 3.0, learnable: bool = True, eps: float = 1e-6, flavour: str = "mmpretrain") -> None:
        super().__init__()
        if p < 1:
            raise ValueError(f"p is {p}; a generalised mean needs p >= 1")
        self.p, self.eps, self.layer = p, eps, None
        if one_of("flavour", flavour, ("mmpretrain", "simpool")) == "simpool":
            if p % 2:
                raise ValueError(f"p is {p}; flavour 'simpool' clamps nothing, and negative values need an even integer: set p to 2")
        else:
            # Not at the top: the toolbox needs seconds to import, and the other flavour does without.
            from mmpretrain.models.necks import GeneralizedMeanPooling as Wrapped

            self.layer = Wrapped(p=p, eps=eps, clamp=False, p_trainable=learnable)

    def pool(self, a: Tensor | None, v: Tensor) -> Tensor:
        """(Σ or mean of v^p)^(1/p), (B, N, C) → (B, 1, C)."""
        if self.layer is not None:
            v = full(v).clamp_min(self.eps)
            number = torch.finfo(v.dtype)
            largest = v.detach().amax(1, keepdim=True).clamp(number.tiny, number.max)
            return self.layer((v / largest).transpose(1, 2).unsqueeze(-1)).unsqueeze(1) * largest
        # A channel that is zero everywhere would get an infinite gradient from the root: ε bounds it.
        with torch.autocast(v.device.type, enabled=False):
            return full(v).pow(self.p).sum(1, keepdim=True).clamp_min(self.eps**self.p).pow(1 / self.p)
