"""How boxes lie to each other, and numbers as waves."""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 1e-3
"""Distances below this share of a box count as this much, so that their logarithm stays finite."""


def waves(values: Tensor, dim: int, wavelength: float = 1000.0) -> Tensor:
    """Sines, then cosines of numbers over wavelengths from 1 to ``wavelength`` (Vaswani et al., 2017), (...) -> (..., dim).

    Args:
        dim: an even number: wave i of the dim/2 is sin(v / wavelength^(2i/dim)).
    """
    # in the type of the values: under autocast, half precision would lose the phase of large ones
    steps = torch.arange(dim // 2, device=values.device, dtype=values.dtype)
    phase = values.unsqueeze(-1) * wavelength ** (-2 * steps / dim)
    return torch.cat([phase.sin(), phase.cos()], -1)


def relative(boxes: Tensor) -> Tensor:
    """Where each box n lies as seen from each box m, (..., R, 4) x0, y0, x1, y1 in pixels -> (..., R, R, 4).

    log(max(|x_m - x_n|/w_m, 1e-3)), the same of y and h, log(w_m/w_n), log(h_m/h_n); translating or scaling all boxes together changes
    nothing but for the pixel that the authors add to widths and heights.
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    # a box turned inside out has no logarithm
    size = (high - low).clamp_min(0) + 1
    centre = (low + high) / 2
    distance = (centre.unsqueeze(-2) - centre.unsqueeze(-3)).abs() / size.unsqueeze(-2)
    return torch.cat([distance.clamp_min(SMALLEST).log(), size.log().unsqueeze(-2) - size.log().unsqueeze(-3)], -1)
