"""Views of images, made of whole batches of tensors: crops, mirrored, of other brightness, contrast and saturation.

torchvision and mmpretrain make one image after the other, on a CPU; for images of 32 pixels that takes longer than a small network's
step on them, and on a GPU the images are there already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_TRIES = 10
_GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Jitter:
    """Changes of colour, each drawn for each view.

    Attributes:
        prob: probability that brightness, contrast and saturation change.
        brightness, contrast, saturation: the factor is drawn from U(1 - x, 1 + x).
        grey: probability that colours are taken away.
    """

    prob: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    grey: float = 0.2


def boxes(count: int, area: tuple[float, float], aspect: tuple[float, float] = (3 / 4, 4 / 3)) -> Tensor:
    """Crops as ``RandomResizedCrop`` draws them, but not rounded to pixels: a share of the area and the logarithm of the aspect ratio are
    uniform; of ten tries the first that fits into a square image is taken, or else the whole image.

    Returns:
        (count, 4) left, top, width, height as shares of the side.
    """
    shares = torch.empty(_TRIES, count).uniform_(*area)
    ratios = torch.empty(_TRIES, count).uniform_(math.log(aspect[0]), math.log(aspect[1])).exp()
    sizes = torch.stack([(shares * ratios).sqrt(), (shares / ratios).sqrt()], dim=-1)
    fits = (sizes <= 1).all(dim=-1)
    first = fits.int().argmax(dim=0)
    chosen = torch.where(fits.any(dim=0)[:, None], sizes[first, torch.arange(count)], torch.ones(2))
    return torch.cat([torch.rand(count, 2) * (1 - chosen), chosen], dim=1)


def cropped(images: Tensor, where: Tensor, size: int, mirrored: Tensor) -> Tensor:
    """Cut boxes out of images, resized by cubic interpolation.

    Args:
        images: (B, C, H, W) from 0 to 1.
        where: (B, 4) of :func:`boxes`.
        mirrored: (B,) bool.

    Returns:
        (B, C, size, size), from 0 to 1.
    """
    left, top, width, height = where.to(images).unbind(dim=1)
    sign = 1 - 2 * mirrored.to(images)
    zero = torch.zeros_like(left)
    # centres of the boxes in coordinates from -1 to 1
    x, y = 2 * left + width - 1, 2 * top + height - 1
    theta = torch.stack([torch.stack([width * sign, zero, x], dim=1), torch.stack([zero, height, y], dim=1)], dim=1)
    grid = F.affine_grid(theta, [len(images), images.shape[1], size, size], align_corners=False)
    found = F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return found.clamp(0, 1)  # cubic interpolation overshoots


def jittered(images: Tensor, jitter: Jitter) -> Tensor:
    """Colours changed: (B, 3, H, W) from 0 to 1, to the same."""
    count = len(images)
    changed = torch.rand(count) < jitter.prob
    for name in ("brightness", "contrast", "saturation"):
        spread = getattr(jitter, name)
        drawn = torch.empty(count).uniform_(1 - spread, 1 + spread)
        factor = torch.where(changed, drawn, torch.ones(count)).to(images)[:, None, None, None]
        other = torch.zeros_like(images) if name == "brightness" else _grey(images)
        if name == "contrast":
            other = other.mean(dim=(1, 2, 3), keepdim=True)
        images = (factor * images + (1 - factor) * other).clamp(0, 1)
    grey = (torch.rand(count) < jitter.grey).to(images.device)[:, None, None, None]
    return torch.where(grey, _grey(images), images)


def _grey(images: Tensor) -> Tensor:
    weights = images.new_tensor(_GREY)[:, None, None]
    return (images * weights).sum(dim=1, keepdim=True).expand_as(images)


def view(images: Tensor, area: tuple[float, float], size: int, jitter: Jitter) -> Tensor:
    """One view of each image: crop, mirror with probability one half, colours; (B, 3, H, W) from 0 to 1, to (B, 3, size, size)."""
    where = boxes(len(images), area)
    return jittered(cropped(images, where, size, torch.rand(len(images)) < 0.5), jitter)
