"""Dual attention: among positions and among channels."""

from __future__ import annotations

from typing import Literal

from harness_plugins.context.attention import attend, options
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.da_head import CAM, PAM
from torch import Tensor, nn

from harness import slots
from harness.slots import attention_method


class PositionAttention(PAM):
    """mmseg's ``PAM``, same parameters and output, through fused attention."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (p(x).flatten(2).mT.unsqueeze(1) for p in (self.query_project, self.key_project, self.value_project))
        slots.observe(self, attention=lambda: (q @ k.mT).softmax(-1))
        return self.gamma(attend(q, k, v, scale=1.0).squeeze(1).mT.contiguous().unflatten(2, x.shape[2:])) + x


@attention_method("danet", slot="context")
class DualAttention(nn.Module):
    """DANet's two attention modules, among positions and among channels, summed.

    Both γ start at zero: the output is 2x at first. No 1/√d scale.

    Formula:
        y = (γ_p Σ_j softmax_j(q_i · k_j) v_j + x_i) + (γ_c softmax(max_c' E_cc' − E_cc') X + X),  E = X Xᵀ

    Shapes:
        (B, C, H, W) → (B, C, H, W).

    Parameters:
        2(Cm + m) + C² + C + 2 with m = C/8; ``branches: own`` for an input of width D and K classes 9DC + 18C² + 6C + 2(CK + K) more.

    Map:
        ``attention`` (B, 1, N, N) of the position module, rows sum to 1.

    Source:
        Fu, Liu, Tian, Li, Bao, Fang, Lu, CVPR 2019, section 3; junfu1115/DANet. There, as in the paper, each branch has a 3×3
        convolution before and behind it, and logits of its own that are trained with the loss of the sum: ``branches: own``.
        Compared with ``mmseg.DAHead`` as ``_base_/models/danet_r50-d8.py`` configures it (``branches: own``), the whole head's
        weights copied: its three logits and its loss.

    Args:
        channels: width C of the map.
        pam_channels: m; C / 8 by default (64 of 512).
        branches: ``slot``, both read the map x; ``own``, that of the positions reads x, the head's first convolution being its first,
            that of the channels the head's input.
        num_classes, in_channels: K and the width of the head's input; given by the head.
        dropout: rate of dropping whole channels before the branches' own logits, as the authors have it.
    """

    auxiliary_weight = 1.0
    query_key = ("pam.query_project", "pam.key_project")

    def __init__(
        self,
        channels: int,
        pam_channels: int | None = None,
        branches: Literal["slot", "own"] = "slot",
        num_classes: int = 19,
        in_channels: int | None = None,
        dropout: float = 0.1,
    ):
        super().__init__()
        if branches not in ("slot", "own"):
            raise ValueError(f"branches is {branches!r}; choose slot or own")
        self.own = branches == "own"
        self.pam = PositionAttention(channels, pam_channels or max(channels // 8, 1))
        self.cam = CAM()
        if self.own:
            self.cam_in_conv = ConvModule(in_channels or channels, channels, 3, padding=1, **options())
            self.pam_out_conv, self.cam_out_conv = (ConvModule(channels, channels, 3, padding=1, **options()) for _ in range(2))
            self.dropout = nn.Dropout2d(dropout)
            self.pam_conv_seg, self.cam_conv_seg = (nn.Conv2d(channels, num_classes, 1) for _ in range(2))

    def forward(self, x: Tensor, auxiliary: dict[str, Tensor] | None = None, source: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> the same.

        Args:
            auxiliary: receives the logits of the branches (B, K, H, W) under ``pam`` and ``cam``, to be trained with the labels.
            source: the head's input.
        """
        if not self.own:
            return self.pam(x) + self.cam(x)
        positions = self.pam_out_conv(self.pam(x))
        channels = self.cam_out_conv(self.cam(self.cam_in_conv(x if source is None else source)))
        if auxiliary is not None:
            auxiliary["pam"] = self.pam_conv_seg(self.dropout(positions))
            auxiliary["cam"] = self.cam_conv_seg(self.dropout(channels))
        return positions + channels
