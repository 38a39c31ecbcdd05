"""Criss-cross attention of CCNet."""

from __future__ import annotations

import torch
from mmcv.ops import CrissCrossAttention
from torch import Tensor, nn

from harness import slots
from harness.slots import attention_method


@attention_method("ccnet", slot="context")
class CrissCross(nn.Module):
    """mmcv's ``CrissCrossAttention``, applied R times with shared weights.

    Two passes reach every position. γ starts at zero: the identity at first.

    Formula:
        y_i = γ Σ_{j ∈ row(i) ∪ column(i)} softmax_j(q_i · k_j) v_j + x_i

    Shapes:
        (B, C, H, W) → (B, C, H, W).

    Parameters:
        2(C⌊C/8⌋ + ⌊C/8⌋) + C² + C + 1.

    Map:
        ``attention`` (B, 1, N, N), zero off the cross, rows sum to 1; one for each pass.

    Source:
        Huang, Wang, Wang, Huang, Shi, Liu, ICCV 2019, section 3.2; speedinghzl/CCNet. Pure PyTorch in mmcv since 1.3.13: no
        compiled op is needed. Compared with ``mmseg.CCHead`` as ``_base_/models/ccnet_r50-d8.py`` configures it, the whole head's
        weights copied.

    Args:
        channels: width C of the map, at least 8.
        recurrence: R.
    """

    query_key = ("cca.query_conv", "cca.key_conv")

    def __init__(self, channels: int, recurrence: int = 2):
        super().__init__()
        self.recurrence = recurrence
        self.cca = CrissCrossAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.recurrence):
            slots.observe(self, attention=lambda x=x: self._map(x))
            x = self.cca(x)
        return x

    def _map(self, x: Tensor) -> Tensor:
        """The dense map; the cross is cut out of all N² logits."""
        height, width = x.shape[2:]
        q, k = (conv(x).flatten(2) for conv in (self.cca.query_conv, self.cca.key_conv))
        row = torch.arange(height * width, device=x.device) // width
        column = torch.arange(height * width, device=x.device) % width
        cross = (row[:, None] == row) | (column[:, None] == column)
        return (q.mT @ k).masked_fill(~cross, float("-inf")).softmax(-1).unsqueeze(1)
