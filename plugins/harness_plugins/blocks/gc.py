"""Blocks whose attention is the same for every query: GC block and simplified non-local block."""

from __future__ import annotations

from typing import Literal

from harness_plugins.blocks.tokens import pool, score
from mmcv.cnn import ContextBlock
from torch import Tensor, nn

from harness.slots import attention_method, observe


class _QueryIndependent(ContextBlock):
    """mmcv's ``ContextBlock`` whose pooling offers its map."""

    inert = ("conv_mask.bias",)  # the same for every position, so the softmax cancels it

    def spatial_pool(self, x: Tensor) -> Tensor:
        """sum_j softmax_j(W_k x_j) x_j: (B, d, H, W) -> (B, d, 1, 1)."""
        tokens = x.flatten(2)
        weights = score(tokens, self.conv_mask.weight.flatten(), self.conv_mask.bias).softmax(-1)
        observe(self, map=lambda: weights.view(len(x), 1, *x.shape[2:]))
        return pool(tokens, weights)[..., None, None]


@attention_method("gc-block", slot="block")
class GCBlock(_QueryIndependent):
    """Global context block: one softmax over positions for all queries, then a bottleneck.

    The layers are ``mmcv.cnn.ContextBlock``. With ``fusion="add"`` the last convolution is zero at the start and the
    block begins as identity; with ``fusion="mul"`` the same zeros make it begin as x / 2.

    Formula:
        c = Σ_j softmax_j(W_k x_j) x_j
        z_i = x_i + W_2 ReLU(LN(W_1 c))           (add)
        z_i = x_i · sigmoid(W_2 ReLU(LN(W_1 c)))  (mul)

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        2dp + 3p + 2d + 1.

    Map:
        ``map`` (B, 1, H, W), sums to 1.

    Source:
        Cao, Xu, Lin, Wei, Hu, ICCV Workshops 2019, eq. 5; xvjiarui/GCNet. Compared with ``mmcv.ContextBlock``, and with
        ``mmseg.GCHead`` as ``_base_/models/gcnet_r50-d8.py`` configures it (``ratio: 0.25``), the whole head's weights copied.

    Args:
        channels: d.
        ratio: p / d of the bottleneck W_1 (p × d), W_2 (d × p); p = int(d · ratio). The paper uses 1/16 and 1/4.
        fusion: ``add`` (the paper's choice) or ``mul``.

    Raises:
        ValueError: the bottleneck has no channel.
    """

    query_key = ("conv_mask",)

    def __init__(self, channels: int, ratio: float = 1 / 16, fusion: Literal["add", "mul"] = "add") -> None:
        if int(channels * ratio) < 1:
            raise ValueError(f"ratio {ratio:g} of {channels} channels leaves the bottleneck none; use {1 / channels:.3g} or more")
        super().__init__(channels, ratio, fusion_types=(f"channel_{fusion}",))


@attention_method("simplified-non-local", slot="block")
class SimplifiedNonLocal(_QueryIndependent):
    """Simplified non-local block: one softmax over positions for all queries.

    W_v stands outside the sum, so that it acts on one vector per image. Both matrices start from N(0, 0.01) without bias, as in
    the one code that its authors released: near identity.

    Formula:
        z_i = x_i + W_v Σ_j softmax_j(W_k x_j) x_j

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        d² + 2d + 1.

    Map:
        ``map`` (B, 1, H, W), sums to 1.

    Source:
        Cao, Xu, Lin, Wei, Hu, ICCV Workshops 2019, eq. 3. It is not in xvjiarui/GCNet; the start is that of the ``simple``
        ``ContextBlock`` of Howal/DNL-Object-Detection, of the same group, whose W_v has no bias. Compared with its equation.

    Args:
        channels: d.
    """

    query_key = ("conv_mask",)

    def __init__(self, channels: int) -> None:
        super().__init__(channels, ratio=1.0)
        self.channel_add_conv = nn.Conv2d(channels, channels, kernel_size=1)
        for conv in (self.conv_mask, self.channel_add_conv):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)
