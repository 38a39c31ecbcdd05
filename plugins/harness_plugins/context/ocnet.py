"""Object context (Base-OC): self-attention with shared queries and keys, joined with its input."""

from __future__ import annotations

import torch
from harness_plugins.context.attention import FusedAttentionBlock, options
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("ocnet", slot="context")
class ObjectContext(nn.Module):
    """Base-OC of OCNet: self-attention with shared queries and keys, joined with its input.

    k = ReLU(BN(W_k x)) of width m serves queries and keys alike, so the logits are symmetric. W_o starts at zero.

    Formula:
        w_ij = softmax_j(k_i · k_j / √m),  c_i = W_o Σ_j w_ij W_v x_j,  y = dropout(ReLU(BN(W [c, x])))

    Shapes:
        (B, C, H, W) → (B, C, H, W).

    Parameters:
        Cm + 2m (key), Cm + m (value), mC + C (out), 2C² + 2C (join).

    Map:
        ``attention`` (B, 1, N, N), rows sum to 1.

    Source:
        Yuan, Wang, arXiv 1809.00916, section 3; PkuRainBow/OCNet.pytorch, ``base_oc_block.py``. mmseg has no OCHead: this is its
        ``SelfAttentionBlock`` with ``share_key_query``. The authors' InPlaceABN (a leaky ReLU) is BN and ReLU here, as everywhere
        in mmseg. Compared with its equation.

    Args:
        channels: width C of the map.
        attention_channels: m; C / 2 by default (256 of 512, as the authors).
        dropout: rate of dropping whole channels at the end; the authors use 0.05.
    """

    query_key = ("attention.key_project",)  # the query's too

    def __init__(self, channels: int, attention_channels: int | None = None, dropout: float = 0.05):
        super().__init__()
        width = attention_channels or max(channels // 2, 1)
        self.attention = FusedAttentionBlock(channels, channels, width, channels, share_key_query=True)
        self.join = ConvModule(2 * channels, channels, 1, **options())
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.join(torch.cat([self.attention(x, x), x], dim=1)))
