"""Pictures of attention maps and of predictions over images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from harness.diagnostics.maps import LONGEST, MOST, Pictured
from harness.diagnostics.overlays import enlarged, key, marked, overlays
from harness.images import write_image

_HEIGHT = 128
"""Pixels of a row."""

_LABEL = 16
"""Height of a line of text."""

_FONT = ImageFont.load_default_imagefont()
"""The bitmap font: a scalable one is unpacked first, for 50 ms in OpenCV. Loaded once, before trials are forked."""


def as_image(tensor: Tensor) -> np.ndarray:
    """A normalised network input (3, H, W) as a displayable (h, w, 3) RGB picture; a large one is reduced."""
    array = tensor.detach().float().cpu().numpy().transpose(1, 2, 0)
    low, high = array.min(), array.max()
    array = (255 * (array - low) / max(high - low, 1e-6)).astype(np.uint8)
    return _resized(array, min(1.0, LONGEST / max(array.shape[:2])))


def _resized(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    resized: np.ndarray = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return resized


def on_grid(maps: Tensor, aspect: float) -> np.ndarray:
    """Maps (M, H, W), or (M, N) over a grid of the image's aspect ratio, as (M, H, W)."""
    array = maps.detach().float().cpu().numpy()
    if array.ndim == 2:
        count = array.shape[1]
        rows = max(1, round(math.sqrt(count / aspect)))
        while count % rows:
            rows -= 1
        array = array.reshape(array.shape[0], rows, count // rows)
    return array


def _label(text: str, width: int) -> np.ndarray:
    """A line of text as a picture (:data:`_LABEL`, width, 3)."""
    strip = Image.new("RGB", (width, _LABEL), "white")
    ImageDraw.Draw(strip).text((3, 2), text.encode("latin-1", "replace"), fill="black", font=_FONT)  # it has no others
    return np.asarray(strip)


def save_overlays(folder: Path, index: int, image: np.ndarray, maps: Mapping[str, np.ndarray]) -> Path:
    """Write one picture: a row per layer, the image first, then a column per head or map (at most :data:`~harness.diagnostics.maps.MOST`).

    Args:
        image: see :func:`as_image`.
        maps: layer -> (M, rows, columns).

    Returns:
        The file written, ``attention-<index>.jpg``: a PNG takes twenty times as long to write.
    """
    picture = _resized(image, _HEIGHT / image.shape[0])
    rows = []
    for name, some in maps.items():
        row = np.concatenate([picture, overlays(picture, some[:MOST])], axis=1)
        rows += [_label(name, row.shape[1]), row]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"attention-{index}.jpg"
    write_image(file, np.concatenate(padded), quality=90)
    return file


def save_predictions(folder: Path, index: int, one: Pictured) -> Path:
    """Write one picture: the image with what is true of it, where that is known, and beside it with what was predicted; below, the
    colours of the classes.

    Returns:
        The file written, ``prediction-<index>.jpg``.
    """
    large = enlarged(one.image)
    sides = [
        np.concatenate([_label(f"{name}: {marks.text}" if marks.text else name, large.shape[1]), marked(large, marks, true=true)])
        for name, marks, true in (
            ("true" if one.true.drawn or one.true.text else "image", one.true, True),
            ("predicted", one.predicted, False),
        )
    ]
    picture = np.concatenate([sides[0], np.full((len(sides[0]), 4, 3), 255, np.uint8), sides[1]], axis=1)
    if (classes := key([one], picture.shape[1])) is not None:
        picture = np.concatenate([picture, classes])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"prediction-{index}.jpg"
    write_image(file, picture, quality=90)
    return file
