"""Object-contextual representations."""

from __future__ import annotations

from typing import Literal

from harness_plugins.context.attention import options
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.ocr_head import ObjectAttentionBlock, SpatialGatherModule
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.slots import attention_method


@attention_method("ocrnet", slot="context")
class ObjectContextualRepresentation(nn.Module):
    """OCR: pixels attend to one representation per class.

    The soft object regions M (one per class) come from a coarse segmentation that is trained with the labels: of x, or of the
    backbone's maps.

    Formula:
        f_k = Σ_i softmax_i(M_ki) x_i,  w_ik = softmax_k(φ(x_i) · ψ(f_k) / √m),  y_i = g[ρ(Σ_k w_ik δ(f_k)), x_i]

    Shapes:
        (B, C, H, W) → (B, C, H, W); the coarse logits (B, K, H, W) go to the head, which trains them.

    Parameters:
        For K classes: C² + 2C + CK + K (coarse, of x), 2(Cm + 2m + m² + 2m) (φ, ψ), Cm + 2m (δ), mC + 2C (ρ),
        2C² + 2C (g).

    Map:
        ``attention`` (B, 1, N, K), how much each position takes from each class; rows sum to 1.

    Source:
        Yuan, Chen, Wang, ECCV 2020, section 3; openseg-group/openseg.pytorch. There, as in the paper, the coarse segmentation reads
        the backbone: ``coarse: backbone``. Compared with the cascade of ``mmseg.FCNHead`` and ``mmseg.OCRHead`` as
        ``_base_/models/ocrnet_r50-d8.py`` and ``ocrnet_hr18.py`` configure it (``coarse: backbone``), both heads' weights copied.

    Args:
        channels: width C of the map.
        num_classes: K; given by the head.
        ocr_channels: m; C / 2 by default (256 of 512).
        auxiliary_weight: weight of the coarse segmentation's loss.
        coarse: what the coarse segmentation reads: ``slot``, the map x, by a 1×1 convolution; ``backbone``, the next shallower level,
            by a 3×3 convolution to a quarter of its width, or where the head sees one level only, its input, by a 1×1 convolution.
        low_channels, in_channels: widths of that level and of the head's input; given by the head.
        dropout: rate of dropping whole channels at the end, as the authors have it.
    """

    query_key = ("attention.query_project", "attention.key_project")

    def __init__(
        self,
        channels: int,
        num_classes: int = 19,
        ocr_channels: int | None = None,
        auxiliary_weight: float = 0.4,
        coarse: Literal["slot", "backbone"] = "slot",
        low_channels: int | None = None,
        in_channels: int | None = None,
        dropout: float = 0.05,
    ):
        super().__init__()
        if coarse not in ("slot", "backbone"):
            raise ValueError(f"coarse is {coarse!r}; choose slot or backbone")
        self.auxiliary_weight = auxiliary_weight
        self.reads_backbone = coarse == "backbone"
        read = (low_channels or in_channels or channels) if self.reads_backbone else channels
        near = self.reads_backbone and low_channels
        width, kernel = (max(read // 4, 1), 3) if near else (read, 1)
        first = ConvModule(read, width, kernel, padding=kernel // 2, **options())
        self.coarse = nn.Sequential(first, nn.Conv2d(width, num_classes, 1))
        self.gather = SpatialGatherModule(1)
        self.attention = ObjectAttentionBlock(channels, ocr_channels or max(channels // 2, 1), 1, conv_cfg=None, **options())
        self.dropout = nn.Dropout2d(dropout)

    def forward(
        self,
        x: Tensor,
        auxiliary: dict[str, Tensor] | None = None,
        low: Tensor | None = None,
        source: Tensor | None = None,
    ) -> Tensor:
        """(B, C, H, W) -> the same.

        Args:
            auxiliary: receives the coarse logits (B, K, H, W) under ``coarse``, to be trained with the labels.
            low, source: the shallower level's map and the head's input, where there are.
        """
        read = next(m for m in (low, source, x) if m is not None) if self.reads_backbone else x
        regions = self.coarse(read)
        if auxiliary is not None:
            auxiliary["coarse"] = regions
        if regions.shape[2:] != x.shape[2:]:
            regions = F.interpolate(regions, size=x.shape[2:], mode="bilinear", align_corners=False)
        objects = self.gather(x, regions)
        slots.observe(self, keys="classes", attention=lambda: self._map(x, objects))
        return self.dropout(self.attention(x, objects))

    def _map(self, x: Tensor, objects: Tensor) -> Tensor:
        q, k = self.attention.query_project(x).flatten(2), self.attention.key_project(objects).flatten(2)
        return (self.attention.channels**-0.5 * q.mT @ k).softmax(-1).unsqueeze(1)
