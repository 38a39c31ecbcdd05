"""Object context (Base-OC): self-attention with shared queries and keys, joined with its input."""

from __future__ import annotations

import torch
from harness_plugins.context.attention import FusedAttentionBlock, options
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("ocnet", slot="context")
class ObjectContext(nn.Module):
    r"""Base-OC of OCNet, (B,C,H,W) -> (B,C,H,W).

    .. math::
        w_{ij} = \mathrm{softmax}_j(k_i^\top k_j / \sqrt{m}), \quad
        c_i = W_o \sum_j w_{ij} W_v x_j, \quad
        y = \mathrm{dropout}(\mathrm{ReLU}(\mathrm{BN}(W [c, x])))

    with k = ReLU(BN(W_k x)) of width m for queries and keys alike, so the logits are symmetric. W_o starts at zero.

    Parameters: Cm + 2m (key), Cm + m (value), mC + C (out), 2C² + 2C (join). Complexity O(N² m).
    Attention: (B, 1, N, N), rows sum to 1.

    Yuan & Wang, "OCNet: Object Context Network for Scene Parsing", arXiv 1809.00916, section 3; authors' code
    PkuRainBow/OCNet.pytorch, ``base_oc_block.py``. mmseg has no OCHead: this is its ``SelfAttentionBlock`` with
    ``share_key_query``. The authors' InPlaceABN (a leaky ReLU) is BN and ReLU here, as everywhere in mmseg.

    Args:
        channels: width C of the map.
        attention_channels: m; C / 2 by default (256 of 512, as the authors).
        dropout: rate of dropping whole channels at the end; the authors use 0.05.
    """

    def __init__(self, channels: int, attention_channels: int | None = None, dropout: float = 0.05):
        super().__init__()
        width = attention_channels or max(channels // 2, 1)
        self.attention = FusedAttentionBlock(channels, channels, width, channels, share_key_query=True)
        self.join = ConvModule(2 * channels, channels, 1, **options())
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.join(torch.cat([self.attention(x, x), x], dim=1)))
