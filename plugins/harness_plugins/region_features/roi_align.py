"""RoIAlign: means of bilinear samples on a regular grid, the same for every region and image."""

from __future__ import annotations

from torch import Tensor, nn

from harness import regions
from harness.slots import attention_method


@attention_method("roi-align", slot="region_features")
class RoIAlign(nn.Module):
    """Means of bilinear samples in each bin of a region's grid: the baseline of the ``region_features`` slot.

    Formula:
        y_k(b) = (1/|S_k|) Σ_{p ∈ S_k(b)} x(p), S_k(b) a grid of one sample in each cell of bin k

    Shapes:
        (B, C, H, W) and regions (R, 5), image and x0, y0, x1, y1 in pixels of the input → (R, C, size, size).

    Parameters:
        0.

    Map:
        None: the weights follow from the region alone.

    Source:
        He, Gkioxari, Dollár, Girshick, ICCV 2017, section 3. mmdet's, with ``aligned=True``.

    Args:
        channels: C of the map; ignored.
        size: bins of a region's side; the harness passes it.
        stride: pixels of a cell of the map; the harness passes it.
        sampling_ratio: samples of a bin in each direction; 0 for one in each cell.
    """

    compiles = exports = False  # how many samples there are depends on the regions

    def __init__(self, channels: int, size: int, stride: int, sampling_ratio: int = 0) -> None:
        super().__init__()
        self.size, self.scale, self.sampling_ratio = (size, size), 1 / stride, sampling_ratio

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        """Maps (B, C, H, W) and regions (R, 5) -> (R, C, size, size)."""
        return regions.roi_align(x, rois, self.size, self.scale, self.sampling_ratio)
