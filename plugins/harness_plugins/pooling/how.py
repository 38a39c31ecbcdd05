"""HOW pooling: every token weighs as much as it is long."""

from __future__ import annotations

import torch
from harness_plugins.pooling.frame import full
from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method, observe


def _box_sum(x: Tensor) -> Tensor:
    """Sum over the 3×3 window around each position, the padding being zero."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, divisor_override=1)


@attention_method("how", slot="pooling")
class HowPooling(nn.Module):
    """HOW: every token weighs as much as it is long.

    All of φ_V is linear, so the smoothing is moved from the d channels of the values to the one channel of the
    attention (its adjoint), and the projection from N tokens to their sum:
    Σ_i a_i (W avg(x)_i + b) = W Σ_j (avgᵀa)_j x_j + b Σ_i a_i. O(Nd + d²) in place of O(9Nd + Nd²).

    Formula:
        z = Σ_i ‖x_i‖ v_i / ‖·‖,  v = conv1×1(avg3×3(x)), the average over the positions inside the map

        In the frame: no U⁰; A = the tokens' own lengths; φ_V = conv1×1 ∘ avg3×3; f_{-1}; φ_U = L2 normalisation.

    Shapes:
        (B, d, H, W) → (B, dim); dim = d by default.

    Parameters:
        d·dim + dim.

    Map:
        ``map`` (B, 1, H, W), the lengths; they do not sum to 1.

    Source:
        Tolias, Jenicek, Chum, ECCV 2020, section 3.2; gtolias/how; ``HOWPooling`` of billpsomas/simpool. Compared with its equation.

    Args:
        channels: d.
        dim: width of z. Default d, which keeps the slot's contract; the authors project to 128 (retrieval)
            and simpool's benchmark to 512.
        squared: weigh by ‖x_i‖², the diagonal of XᵀX as SimPool's table prints it, and not by ‖x_i‖ as both codes do.
        normalize: whether z is L2-normalised.
        eps: added to the norm of z; its square root of 1e-10 under the tokens' norms is the authors'.
    """

    def __init__(self, channels: int, dim: int | None = None, squared: bool = False, normalize: bool = True, eps: float = 1e-6) -> None:
        super().__init__()
        self.squared, self.normalize, self.eps = squared, normalize, eps
        self.project = nn.Linear(channels, dim or channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, dim)."""
        lengths = full(x).square().sum(1, keepdim=True)
        a = lengths if self.squared else (lengths + 1e-10).sqrt()
        observe(self, map=lambda: a)
        inside = _box_sum(torch.ones_like(a[:1]))
        spread = _box_sum(a / inside).to(x.dtype)
        z = torch.bmm(x.flatten(2), spread.flatten(2).transpose(1, 2)).squeeze(-1)
        z = F.linear(z, self.project.weight) + self.project.bias * a.sum((2, 3))
        return z / (z.norm(dim=1, keepdim=True) + self.eps) if self.normalize else z
