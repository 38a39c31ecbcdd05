"""Log-sum-exp pooling: uniform attention with the pooling function x ↦ e^{rx}."""

from __future__ import annotations

import torch
from harness_plugins.pooling.frame import Pooling, full
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("lse", slot="pooling")
class LogSumExpPooling(Pooling):
    """Log-sum-exp: the frame with uniform A and f(x) = e^{rx}.

    r → 0 is the mean, r → ∞ the maximum. Computed as x_max + (1/r) log mean e^{r(x − x_max)}; any constant in place of
    x_max gives the same z, so the maximum itself needs no gradient.

    Formula:
        z = (1/r) log((1/N) Σ_i e^{r x_i}) per channel

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        0, or 1 if learnable.

    Map:
        None: the weights differ per channel.

    Source:
        Pinheiro, Collobert, CVPR 2015, eq. 2; ``LSEPool`` of billpsomas/simpool.

    Args:
        channels: ignored; r is shared by all channels.
        r: sharpness, not 0. 1 is the fixed value of billpsomas/simpool (``lse``); theirs for the learnable
            one (``learnlse``) is 10.
        learnable: whether r is trained.
    """

    def __init__(self, channels: int, r: float = 1.0, learnable: bool = False) -> None:
        super().__init__()
        if r == 0:
            raise ValueError("r is 0, where log-sum-exp is undefined; its limit is the mean, which is 'gap'")
        self.r = nn.Parameter(torch.tensor([float(r)])) if learnable else float(r)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C)."""
        with torch.autocast(x.device.type, enabled=False):
            x = full(x.flatten(2))
            top = x.detach().amax(-1, keepdim=True)
            return top.squeeze(-1) + ((x - top) * self.r).exp_().mean(-1).log() / self.r
