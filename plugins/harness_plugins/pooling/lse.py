"""Log-sum-exp pooling: uniform attention with the pooling function x ↦ e^{rx}."""

from __future__ import annotations

import torch
from harness_plugins.pooling.frame import Pooling, full
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("lse", slot="pooling")
class LogSumExpPooling(Pooling):
    """Log-sum-exp: the frame with uniform A and f(x) = e^{rx}.

    r → −∞ is the minimum, r → 0 the mean, r → ∞ the maximum. Computed as c + (1/r) log mean e^{r(x − c)}, c = x_max, or
    x_min for a negative r, so that no exponent is positive; any constant c gives the same z, so c needs no gradient.

    Formula:
        z = (1/r) log((1/N) Σ_i e^{r x_i}) per channel

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        0, or 1 if learnable.

    Map:
        None: the weights differ per channel.

    Source:
        Pinheiro, Collobert, CVPR 2015, eq. 2; ``LSEPool`` of billpsomas/simpool. Compared with its equation.

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
            with torch.no_grad():
                c = self._extreme(x)
            return c.squeeze(-1) + ((x - c) * self.r).exp_().mean(-1).log() / self.r

    def _extreme(self, x: Tensor) -> Tensor:
        """The x of the largest exponent r x of each channel, (B, C, N) → (B, C, 1)."""
        if isinstance(self.r, float):
            return x.amax(-1, keepdim=True) if self.r > 0 else x.amin(-1, keepdim=True)
        low, high = x.aminmax(dim=-1, keepdim=True)
        # a learned r changes its sign without a wait for the device
        return torch.maximum(low * self.r, high * self.r) / self.r
