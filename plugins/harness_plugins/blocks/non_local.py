"""Non-local block in its four forms."""

from __future__ import annotations

from typing import Any, Literal

import torch
from harness_plugins.blocks.tokens import attend, attention_map, expand, project, score
from mmcv.cnn import NonLocal2d
from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method, observe

Mode = Literal["gaussian", "embedded-gaussian", "dot-product", "concatenation"]


@attention_method("non-local", slot="block")
class NonLocal(NonLocal2d):
    """Non-local block: every position gathers from all others.

    θ, φ, g: 1×1 convolutions d → d' with bias; W_z: d' → d, zero at the start, so the block begins as identity. Layers and state-dict
    keys are those of ``mmcv.cnn.NonLocal2d``; only how y is computed differs. The N × N matrix exists in no mode whose mathematics can
    do without it: the softmax modes use fused attention on large maps, ``dot-product`` multiplies in the cheaper order,
    ``concatenation`` sums over sorted keys.

    The default is the equation as printed. The authors' code runs ``use_scale: true``, ``sub_sample: input`` and ``norm: true``; mmseg's
    ``NLHead`` runs ``use_scale: true`` and ``norm: true``.

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
        ``attention`` (B, 1, N, N), with ``sub_sample`` (B, 1, N, ⌊H/2⌋⌊W/2⌋): rows sum to 1 in the softmax modes only.

    Source:
        Wang, Girshick, Gupta, He, CVPR 2018, eq. 1-6; facebookresearch/video-nonlocal-net. Compared with ``mmcv.NonLocal2d`` in every
        mode, and with ``mmseg.NLHead`` as ``_base_/models/nonlocal_r50-d8.py`` configures it, the whole head's weights copied.

    Args:
        channels: d.
        mode: the form of f.
        reduction: d / d'.
        use_scale: multiply θ · φ by 1/√d' in ``embedded-gaussian``. In the authors' code and mmcv's default; not in the paper.
        norm: batch normalisation after W_z, its gain zero at the start instead of W_z (from N(0, 0.01)). The paper's video models.
        sub_sample: keys and values from a map of half the sides, max-pooled 2×2: ``input``, before φ and g, as in the authors' code
            and in the paper's equation; ``projections``, after them, as in the paper's figure and in mmcv. Sides of 2 or more.
    """

    def __init__(
        self,
        channels: int,
        mode: Mode = "embedded-gaussian",
        reduction: int = 2,
        use_scale: bool = False,
        norm: bool = False,
        sub_sample: Literal["input", "projections"] | None = None,
    ) -> None:
        if sub_sample not in (None, "input", "projections"):
            raise ValueError(f"sub_sample is {sub_sample!r}; choose input, projections or null")
        norm_cfg = {"type": "BN"} if norm else None
        super().__init__(channels, reduction=reduction, use_scale=use_scale, mode=mode.replace("-", "_"), norm_cfg=norm_cfg)
        if norm:
            nn.init.normal_(self.conv_out.conv.weight, std=0.01)
        self.pools = sub_sample
        self.query_key = () if mode == "gaussian" else ("theta", "phi")

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        y = getattr(self, f"_{self.mode}")(x.flatten(2), F.max_pool2d(x, 2) if self.pools == "input" else x)
        z = expand(y, self.conv_out.conv).view(x.shape)
        return x + (self.conv_out.norm(z) if self.conv_out.with_norm else z)

    def _from(self, source: Tensor, module: nn.Module) -> Tensor:
        """Keys or values (B, M, d') of the map (B, d, H, W) they come from."""
        if self.pools == "projections":
            return F.max_pool2d(module(source), 2).flatten(2).transpose(1, 2)
        return project(source.flatten(2), module.conv)

    def _offer(self, **values: Any) -> None:
        observe(self, **values, **({"keys": "pooled positions"} if self.pools else {}))

    def _gaussian(self, x: Tensor, source: Tensor) -> Tensor:
        q = x.transpose(1, 2)
        k = (F.max_pool2d(source, 2) if self.pools == "projections" else source).flatten(2).transpose(1, 2)
        self._offer(q=lambda: q.unsqueeze(1), k=lambda: k.unsqueeze(1), attention=lambda: attention_map(q, k))
        return attend(q, k, self._from(source, self.g))

    def _embedded_gaussian(self, x: Tensor, source: Tensor) -> Tensor:
        q, k = project(x, self.theta.conv), self._from(source, self.phi)
        scale = self.inter_channels**-0.5 if self.use_scale else 1.0
        self._offer(q=lambda: q.unsqueeze(1), k=lambda: k.unsqueeze(1), attention=lambda: attention_map(q, k, scale))
        return attend(q, k, self._from(source, self.g), scale)

    def _dot_product(self, x: Tensor, source: Tensor) -> Tensor:
        q, k, v = project(x, self.theta.conv), self._from(source, self.phi), self._from(source, self.g)
        share = 1 / k.shape[1]
        self._offer(attention=lambda: (q @ k.transpose(1, 2)).unsqueeze(1) * share)
        if k.shape[1] <= self.inter_channels:
            return torch.baddbmm(q.new_zeros(1), q, k.transpose(1, 2), beta=0, alpha=share) @ v
        return q @ ((k.transpose(1, 2) @ v) * share)

    def _concatenation(self, x: Tensor, source: Tensor) -> Tensor:
        w_q, w_k = self.concat_project.conv.weight.view(2, -1)
        # w_q . theta_i is one linear form of x_i: theta and phi themselves are needed only where phi is pooled
        a = score(x, w_q @ self.theta.conv.weight.flatten(1), w_q @ self.theta.conv.bias)
        if self.pools == "projections":
            b = self._from(source, self.phi) @ w_k
        else:
            b = score(source.flatten(2), w_k @ self.phi.conv.weight.flatten(1), w_k @ self.phi.conv.bias)
        v = self._from(source, self.g)
        self._offer(attention=lambda: (F.relu(a.unsqueeze(2) + b.unsqueeze(1)) / b.shape[1]).unsqueeze(1))
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
