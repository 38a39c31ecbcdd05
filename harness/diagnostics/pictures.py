"""Pictures of attention maps over images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from harness.diagnostics.strips import Strips
from harness.images import write_image

_COLOURS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_VIRIDIS)[0, :, ::-1]
"""(256, 3) RGB; looking colours up in one go is faster than OpenCV's own call for each small map."""

_LABEL = 16
"""Height of a line of text."""

_FONT = ImageFont.load_default_imagefont()
"""The bitmap font: a scalable one is unpacked first, for 50 ms in OpenCV. Loaded once, before trials are forked."""


def _as_image(tensor: Tensor, size: int = 128) -> np.ndarray:
    """A normalised network input (3, H, W) as a displayable (h, w, 3) RGB picture."""
    array = tensor.detach().float().cpu().numpy().transpose(1, 2, 0)
    low, high = array.min(), array.max()
    array = (255 * (array - low) / max(high - low, 1e-6)).astype(np.uint8)
    scale = size / array.shape[0]
    resized: np.ndarray = cv2.resize(array, (max(1, round(array.shape[1] * scale)), size), interpolation=cv2.INTER_AREA)
    return resized


def _grid(maps: Tensor, aspect: float) -> np.ndarray:
    """Maps (M, H, W), or (M, N) over a grid of the image's aspect ratio, as (M, H, W)."""
    array = maps.detach().float().cpu().numpy()
    if array.ndim == 2:
        count = array.shape[1]
        rows = max(1, round(math.sqrt(count / aspect)))
        while count % rows:
            rows -= 1
        array = array.reshape(array.shape[0], rows, count // rows)
    return array


def _scaled(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map (H, W) as (height, width) bytes from 0 to 255, min-max scaled; a constant map is zero."""
    low, spread = heat.min(), np.ptp(heat)
    heat = (heat - low) * (255 / spread) if spread > 1e-12 else np.zeros_like(heat)
    return cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def overlays(image: np.ndarray, heats: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    """Maps (H, W) in colour over a picture (h, w, 3) each, side by side: (h, len(heats)·w, 3)."""
    height, width = image.shape[:2]
    bytes_ = np.concatenate([_scaled(heat, height, width) for heat in heats], axis=1)
    return cv2.addWeighted(np.tile(image, (1, len(heats), 1)), 0.45, _COLOURS[bytes_], 0.55, 0)


def _label(text: str, width: int) -> np.ndarray:
    """A line of text as a picture (:data:`_LABEL`, width, 3)."""
    strip = Image.new("RGB", (width, _LABEL), "white")
    ImageDraw.Draw(strip).text((3, 2), text, fill="black", font=_FONT)
    return np.asarray(strip)


def save_overlays(folder: Path, index: int, image: Tensor, maps: dict[str, Tensor], most: int = 8) -> Path:
    """Write one picture: a row per layer, the image first, then a column per head or map (at most ``most``).

    Its comment tells where they stand, see :class:`harness.diagnostics.strips.Strips`.

    Returns:
        The file written, ``attention-<index>.jpg``: a PNG takes twenty times as long to write.
    """
    picture = _as_image(image)
    aspect = picture.shape[1] / picture.shape[0]
    rows, drawn = [], {}
    for name, tensor in maps.items():
        heats = _grid(tensor, aspect)[:most]
        row, drawn[name] = np.concatenate([picture, overlays(picture, heats)], axis=1), len(heats)
        rows += [_label(name, row.shape[1]), row]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"attention-{index}.jpg"
    strips = Strips(width=picture.shape[1], height=picture.shape[0], label=_LABEL, layers=drawn)
    write_image(file, np.concatenate(padded), quality=90, comment=strips.comment())
    return file
