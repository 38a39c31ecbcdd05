"""Point-wise spatial attention (PSANet; not polarized self-attention)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from harness_plugins.context.attention import check_place, options
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from harness import slots
from harness.slots import attention_method


def by_position(windows: Tensor, grid: tuple[int, int]) -> Tensor:
    """From windows of logits around each position to logits of every pair; mmcv's compiled ``PSAMask``.

    Args:
        windows: (B, N, R, S), at each position of the grid the logits for what lies within (R - 1)/2 rows and (S - 1)/2 columns.
        grid: (H, W) with N = H·W.

    Returns:
        (B, N, N): the logit of each position (rows) for each other (columns), 0 where its window does not reach.
    """
    (height, width), (rows, columns) = grid, windows.shape[2:]
    below, beside = height - 1 - rows // 2, width - 1 - columns // 2
    windows = F.pad(windows, (beside, beside, below, below)).contiguous()
    down, right = windows.shape[2:]
    # a position further right is a whole window on, less the one column by which the same place has moved within it
    strides = (width * down * right - right, down * right - 1, right, 1)
    start = (height - 1) * right + width - 1
    pairs = windows.as_strided((len(windows), *grid, *grid), (windows[0].numel(), *strides), start)
    return pairs.flatten(3).flatten(1, 2)


class Branch(nn.Module):
    """One direction: (B,C,H,W) -> features (B,c,h,w) and their attention (B,N,N), columns sum to 1."""

    def __init__(self, channels: int, reduced: int, mask_size: tuple[int, int], *, distribute: bool):
        super().__init__()
        self.mask_size, self.distribute = mask_size, distribute
        self.reduce = ConvModule(channels, reduced, 1, **options())
        self.attention = nn.Sequential(
            ConvModule(reduced, reduced, 1, **options()), nn.Conv2d(reduced, mask_size[0] * mask_size[1], 1, bias=False)
        )

    def forward(self, x: Tensor, shrink: int) -> tuple[Tensor, Tensor]:
        x = self.reduce(x)
        if shrink > 1:
            odd = bool(x.shape[2] % shrink and x.shape[3] % shrink)
            size = [-(-side // shrink) if odd else max(side // shrink, 1) for side in x.shape[2:]]
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=odd)
        logits = by_position(self._windows(x), x.shape[2:])
        weights = logits.softmax(1) if self.distribute else logits.softmax(2).mT
        return (x.flatten(2) @ weights).unflatten(2, x.shape[2:]), weights

    def _windows(self, x: Tensor) -> Tensor:
        """The part of each window that lies on the map for some position, (B, c, h, w) -> (B, N, R, S)."""
        hidden, last = self.attention[0](x), self.attention[1]
        reach = [min(side // 2, length - 1) for side, length in zip(self.mask_size, x.shape[2:], strict=True)]
        inside = (slice(side // 2 - r, side // 2 + r + 1) for side, r in zip(self.mask_size, reach, strict=True))
        weight = last.weight.view(*self.mask_size, -1)[tuple(inside)]
        return (hidden.flatten(2).mT @ weight.flatten(0, 1).T).unflatten(2, weight.shape[:2])


@attention_method("psanet", slot="context")
class PointwiseSpatialAttention(nn.Module):
    """PSANet's bi-directional module: each position predicts where it collects from, and where it distributes to.

    The window a^c_i, predicted at i by convolutions, says what i collects from each relative position; a^d_j what j
    distributes. Both run on the map shrunk by ``shrink_factor``, with r = f_1×1(x) of width c.

    Formula:
        z_i = [Σ_j softmax_j(a^c_i[Δ_ij]) r^c_j, Σ_j softmax_j(a^d_j[Δ_ji]) r^d_j],  y = f_3×3[x, f_1×1(z)]

    Shapes:
        (B, C, H, W) → (B, C, H, W).

    Parameters:
        With M = M_h M_w: 2[Cc + 2c + c² + 2c + cM] + 2cC + 2C (project) + 18C² + 2C (join).

    Map:
        ``attention`` (B, 2, n, n) on the shrunk grid, heads collect and distribute, rows sum to 1.

    Source:
        Zhao, Zhang, Liu, Shi, Loy, Lin, Jia, ECCV 2018, section 3; hszhao/PSANet. The authors and ``mmseg.PSAHead`` have the module
        on the backbone's own 2048 channels, the last 3×3 convolution being the head's first: ``at: input``. ``mmseg.PSAHead`` needs
        a compiled op, replaced here by a gather, and pads its 1×1 projection by a pixel, which neither the paper nor the authors do
        (``pad: 1``). Compared with it as ``_base_/models/psanet_r50-d8.py`` configures it, the whole head's weights copied.

    Args:
        channels: width C of the map.
        reduced: c; C / 4 by default (512 of 2048).
        mask_size: (M_h, M_w), odd; reaches every position where it is at least twice the shrunk map less one.
            (97, 97) belongs to crops of 769 pixels at stride 8.
        shrink_factor: how much smaller the map is on which the windows are predicted.
        at: where the module stands.
        in_channels: width of the head's input; given by the head.
        pad: pixels of zeros around what is projected.
    """

    def __init__(
        self,
        channels: int,
        reduced: int | None = None,
        mask_size: Sequence[int] = (97, 97),
        shrink_factor: int = 2,
        at: Literal["slot", "input"] = "slot",
        in_channels: int | None = None,
        pad: int = 0,
    ):
        super().__init__()
        check_place(at)
        if any(side % 2 == 0 for side in mask_size):
            raise TypeError(f"mask_size must be odd, not {tuple(mask_size)}")
        read = (in_channels or channels) if at == "input" else channels
        width, window = reduced or max(read // 4, 1), (int(mask_size[0]), int(mask_size[1]))
        self.shrink_factor = shrink_factor
        self.collect = Branch(read, width, window, distribute=False)
        self.distribute = Branch(read, width, window, distribute=True)
        self.proj = ConvModule(2 * width, read, 1, padding=pad, **options())
        self.before_channels = 2 * read if at == "input" else None
        self.bottleneck = None if at == "input" else ConvModule(2 * channels, channels, 3, padding=1, **options())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same; nothing where :meth:`before` has done it."""
        return x if self.bottleneck is None else self.bottleneck(self.before(x))

    def before(self, x: Tensor) -> Tensor:
        """[x, f_1×1(z)], (B, in_channels, H, W) -> (B, 2 in_channels, H, W)."""
        parts = [branch(x, self.shrink_factor) for branch in (self.collect, self.distribute)]
        slots.observe(self, attention=lambda: torch.stack([weights.mT for _, weights in parts], dim=1))
        z = self.proj(torch.cat([features for features, _ in parts], dim=1))
        odd = bool(x.shape[2] % self.shrink_factor and x.shape[3] % self.shrink_factor)
        z = F.interpolate(z, size=x.shape[2:], mode="bilinear", align_corners=odd)
        return torch.cat([x, z], dim=1)
