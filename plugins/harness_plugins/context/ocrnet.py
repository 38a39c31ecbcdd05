"""Object-contextual representations."""

from __future__ import annotations

from harness_plugins.context.attention import options
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.ocr_head import ObjectAttentionBlock, SpatialGatherModule
from torch import Tensor, nn

from harness import slots
from harness.slots import attention_method


@attention_method("ocrnet", slot="context")
class ObjectContextualRepresentation(nn.Module):
    """OCR: pixels attend to one representation per class.

    The soft object regions M (one per class) come from a coarse segmentation of x that is trained with the labels.

    Formula:
        f_k = Σ_i softmax_i(M_ki) x_i,  w_ik = softmax_k(φ(x_i) · ψ(f_k) / √m),  y_i = g[ρ(Σ_k w_ik δ(f_k)), x_i]

    Shapes:
        (B, C, H, W) → (B, C, H, W); the coarse logits (B, K, H, W) go to the head, which trains them.

    Parameters:
        For K classes: C² + 2C + CK + K (coarse), 2(Cm + 2m + m² + 2m) (φ, ψ), Cm + 2m (δ), mC + 2C (ρ),
        2C² + 2C (g).

    Map:
        ``attention`` (B, 1, N, K), how much each position takes from each class; rows sum to 1.

    Source:
        Yuan, Chen, Wang, ECCV 2020, section 3; openseg-group/openseg.pytorch. Gathering and attention are ``mmseg.OCRHead``'s.
        There, as in the paper, the coarse segmentation reads the backbone; the slot has only the map behind the head's first
        convolution, so it reads that.

    Args:
        channels: width C of the map.
        num_classes: K; given by the head.
        ocr_channels: m; C / 2 by default (256 of 512).
        auxiliary_weight: weight of the coarse segmentation's loss.
    """

    def __init__(self, channels: int, num_classes: int = 19, ocr_channels: int | None = None, auxiliary_weight: float = 0.4):
        super().__init__()
        self.auxiliary_weight = auxiliary_weight
        self.coarse = nn.Sequential(ConvModule(channels, channels, 1, **options()), nn.Conv2d(channels, num_classes, 1))
        self.gather = SpatialGatherModule(1)
        self.attention = ObjectAttentionBlock(channels, ocr_channels or max(channels // 2, 1), 1, conv_cfg=None, **options())

    def forward(self, x: Tensor, auxiliary: dict[str, Tensor] | None = None) -> Tensor:
        """``auxiliary`` receives the coarse logits (B, K, H, W) under ``coarse``, to be trained with the labels."""
        regions = self.coarse(x)
        if auxiliary is not None:
            auxiliary["coarse"] = regions
        objects = self.gather(x, regions)
        slots.observe(self, keys="classes", attention=lambda: self._map(x, objects))
        return self.attention(x, objects)

    def _map(self, x: Tensor, objects: Tensor) -> Tensor:
        q, k = self.attention.query_project(x).flatten(2), self.attention.key_project(objects).flatten(2)
        return (self.attention.channels**-0.5 * q.mT @ k).softmax(-1).unsqueeze(1)
