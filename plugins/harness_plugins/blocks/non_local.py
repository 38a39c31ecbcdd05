"""Non-local block in its four forms."""

from __future__ import annotations

from typing import Literal

import torch
from harness_plugins.blocks.tokens import attend, attention_map, expand, project, score
from mmcv.cnn import NonLocal2d
from torch import Tensor
from torch.nn import functional as F

from harness.slots import attention_method, observe

Mode = Literal["gaussian", "embedded-gaussian", "dot-product", "concatenation"]


@attention_method("non-local", slot="block")
class NonLocal(NonLocal2d):
    """Non-local block: every position gathers from all others.

    θ, φ, g: 1×1 convolutions d → d' with bias; W_z: d' → d, zero at the start, so the block begins as
    identity. Layers, initialisation and state-dict keys are those of ``mmcv.cnn.NonLocal2d``; only how y is computed
    differs. The N × N matrix exists in no mode whose mathematics can do without it: the softmax modes use fused
    attention on large maps, ``dot-product`` multiplies in the cheaper order, ``concatenation`` sums over sorted keys.

    Formula:
        z_i = x_i + W_z y_i,  y_i = 1/C(x) Σ_j f(x_i, x_j) g(x_j)

        mode                 f(x_i, x_j)               C(x)
        gaussian             exp(x_i · x_j)            Σ_j f (a softmax)
        embedded-gaussian    exp(θ_i · φ_j)            Σ_j f (a softmax)
        dot-product          θ_i · φ_j                 N
        concatenation        ReLU(w_f · [θ_i, φ_j])    N

    Shapes:
        (B, d, H, W) → (B, d, H, W); N = H·W.

    Parameters:
        4dd' + 3d' + d; ``gaussian`` 2dd' + d' + d; ``concatenation`` 2d' more; ``norm`` drops the d and adds 2d.

    Map:
        ``attention`` (B, 1, N, N): rows sum to 1 in the softmax modes only.

    Source:
        Wang, Girshick, Gupta, He, CVPR 2018, eq. 1-6; facebookresearch/video-nonlocal-net.

    Args:
        channels: d.
        mode: the form of f.
        reduction: d / d'.
        use_scale: multiply θ · φ by 1/√d' in ``embedded-gaussian``. mmcv's default; not in the paper.
        norm: batch normalisation after W_z, its gain zero at the start instead of W_z. The paper's video models.
    """

    def __init__(
        self, channels: int, mode: Mode = "embedded-gaussian", reduction: int = 2, use_scale: bool = False, norm: bool = False
    ) -> None:
        super().__init__(
            channels, reduction=reduction, use_scale=use_scale, mode=mode.replace("-", "_"), norm_cfg={"type": "BN"} if norm else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        y = getattr(self, f"_{self.mode}")(x.flatten(2))
        z = expand(y, self.conv_out.conv).view(x.shape)
        return x + (self.conv_out.norm(z) if self.conv_out.with_norm else z)

    def _gaussian(self, x: Tensor) -> Tensor:
        q = x.transpose(1, 2)
        observe(self, q=lambda: q.unsqueeze(1), k=lambda: q.unsqueeze(1), attention=lambda: attention_map(q, q))
        return attend(q, q, project(x, self.g.conv))

    def _embedded_gaussian(self, x: Tensor) -> Tensor:
        q, k = project(x, self.theta.conv), project(x, self.phi.conv)
        scale = self.inter_channels**-0.5 if self.use_scale else 1.0
        observe(self, q=lambda: q.unsqueeze(1), k=lambda: k.unsqueeze(1), attention=lambda: attention_map(q, k, scale))
        return attend(q, k, project(x, self.g.conv), scale)

    def _dot_product(self, x: Tensor) -> Tensor:
        q, k, v = (project(x, module.conv) for module in (self.theta, self.phi, self.g))
        share = 1 / k.shape[1]
        observe(self, attention=lambda: (q @ k.transpose(1, 2)).unsqueeze(1) * share)
        if k.shape[1] <= self.inter_channels:
            return torch.baddbmm(q.new_zeros(1), q, k.transpose(1, 2), beta=0, alpha=share) @ v
        return q @ ((k.transpose(1, 2) @ v) * share)

    def _concatenation(self, x: Tensor) -> Tensor:
        w_q, w_k = self.concat_project.conv.weight.view(2, -1)
        # w_q . theta_i is one linear form of x_i: theta and phi themselves are never needed
        a, b = (
            score(x, w @ module.conv.weight.flatten(1), w @ module.conv.bias)
            for w, module in ((w_q, self.theta), (w_k, self.phi))
        )  # fmt: skip
        v = project(x, self.g.conv)
        observe(self, attention=lambda: (F.relu(a.unsqueeze(2) + b.unsqueeze(1)) / b.shape[1]).unsqueeze(1))
        return _relu_sum(a, b, v) / b.shape[1]


def _relu_sum(a: Tensor, b: Tensor, v: Tensor) -> Tensor:
    """sum_j ReLU(a_i + b_j) v_j in O(N log N + N d).

    With the keys sorted by falling b, those with a_i + b_j > 0 come first: a prefix sum of v and one of b v, read at
    their count, give a_i sum v_j + sum b_j v_j.

    Args:
        a: (B, N).
        b: (B, M).
        v: (B, M, d).

    Returns:
        (B, N, d).
    """
    # prefix sums of half-precision values would lose the small terms
    a, b, v = (t if t.dtype == torch.float64 else t.float() for t in (a, b, v))
    negated, order = (-b).sort(dim=1)
    count = torch.searchsorted(negated.detach(), a.detach().contiguous())
    sorted_v = v.gather(1, order.unsqueeze(-1).expand_as(v))
    terms = torch.cat([sorted_v, -negated.unsqueeze(-1) * sorted_v], dim=-1)
    prefix = F.pad(terms.cumsum(1), (0, 0, 1, 0))
    plain, weighted = prefix.gather(1, count.unsqueeze(-1).expand(-1, -1, prefix.shape[-1])).chunk(2, dim=-1)
    return a.unsqueeze(-1) * plain + weighted
