"""Gather-excite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method, observe


@attention_method("gather-excite", slot="block")
class GatherExcite(nn.Module):
    """Gather-excite: a gate from windows of the map.

    ``gather`` sees windows of side 2e − 1 every e positions (e, the extent; 0 is the whole map): their mean
    (``average``, the paper's GE-θ⁻), or a chain of log2(e) depth-wise 3×3 convolutions of stride 2, each with batch
    normalisation and all but the last with ReLU (``conv``, GE-θ); for the whole map, one depth-wise convolution as large as the map,
    with batch normalisation, so that the map's ``size`` must be known. ``mlp`` puts 1×1 convolutions d → d/r → ReLU → d
    behind it (GE-θ⁺). ``up`` repeats the nearest value. Not identity at the start.

    Formula:
        y = x · sigmoid(up(MLP(gather(x))))

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        11d log2(e) for ``conv`` (whole map: d(HW + 2)), plus 2d²/r + d/r + d for ``mlp``.

    Map:
        ``map``, the gate (B, d, ⌈H/e⌉, ⌈W/e⌉) before it is repeated.

    Source:
        Hu, Shen, Albanie, Sun, Vedaldi, NeurIPS 2018, eq. 1-3 and section 3; hujie-frank/GENet. The default, a learned gather of
        extent 2 with MLP, is the setting that SimPool's release (by way of timm) compares with. Compared with its equations.

    Args:
        channels: d.
        extent: e, a power of two, or 0.
        gather: ``average`` or ``conv``.
        mlp: with the MLP.
        ratio: r of the MLP.
        residual: return ReLU(x + y), as the pooling comparison of SimPool's release does.
        size: (H, W) of the map, for the learned gather of extent 0, which has a weight for each position.

    Raises:
        ValueError: an extent that is no power of two, a size that is missing or without use, or a map of another size.
    """

    def __init__(
        self,
        channels: int,
        extent: int = 2,
        gather: Literal["average", "conv"] = "conv",
        mlp: bool = True,
        ratio: int = 16,
        residual: bool = False,
        size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if extent < 0 or extent == 1 or extent & (extent - 1):
            raise ValueError(f"extent {extent}: give 0 (the whole map) or a power of two from 2 on")
        learned = gather == "conv" and extent == 0
        if learned and (size is None or len(size) != 2 or min(size) < 1):
            raise ValueError("a learned gather of extent 0 has a weight for each position: give the map's `size`, e.g. [14, 14]")
        if size is not None and not learned:
            raise ValueError(f"size {list(size)} has no use: it goes with extent 0 and gather 'conv'")
        self.residual, self.size = residual, None if size is None else tuple(size)
        self.gather: nn.Module
        if learned:
            depthwise = nn.Conv2d(channels, channels, self.size, groups=channels, bias=False)
            self.gather = nn.Sequential(depthwise, nn.BatchNorm2d(channels))
        elif gather == "conv":
            layers: list[nn.Module] = []
            for step in range(extent.bit_length() - 1):
                depthwise = nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False)
                layers += [*([nn.ReLU()] if step else []), depthwise, nn.BatchNorm2d(channels)]
            self.gather = nn.Sequential(*layers)
        elif extent:
            self.gather = nn.AvgPool2d(2 * extent - 1, stride=extent, padding=extent - 1, count_include_pad=False)
        else:
            self.gather = nn.AdaptiveAvgPool2d(1)
        hidden = max(channels // ratio, 1)
        self.mlp = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1)) if mlp else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        if self.size is not None and x.shape[2:] != self.size:
            raise ValueError(f"gather-excite was built for maps of size {list(self.size)}, this one is {list(x.shape[2:])}: set `size`")
        gate = self.mlp(self.gather(x)).sigmoid()
        observe(self, map=gate)
        y = x * F.interpolate(gate, size=x.shape[2:], mode="nearest")
        return F.relu(x + y) if self.residual else y
