"""Dual attention: among positions and among channels."""

from __future__ import annotations

from harness_plugins.context.attention import attend
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
        2(Cm + m) + C² + C + 2 with m = C/8.

    Map:
        ``attention`` (B, 1, N, N) of the position module, rows sum to 1.

    Source:
        Fu, Liu, Tian, Li, Bao, Fang, Lu, CVPR 2019, section 3; junfu1115/DANet. The modules are ``mmseg.DAHead``'s. Its 3×3
        convolutions before and behind each branch are the head's own here (one for both), and the branches' extra losses are left
        out. Compared with these two modules; the head is not mmseg's.

    Args:
        channels: width C of the map.
        pam_channels: m; C / 8 by default (64 of 512).
    """

    query_key = ("pam.query_project", "pam.key_project")

    def __init__(self, channels: int, pam_channels: int | None = None):
        super().__init__()
        self.pam = PositionAttention(channels, pam_channels or max(channels // 8, 1))
        self.cam = CAM()

    def forward(self, x: Tensor) -> Tensor:
        return self.pam(x) + self.cam(x)
