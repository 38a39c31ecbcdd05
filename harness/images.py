"""Image files: which are read, whether one can be read whole, and pictures for people to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

_SHOWN = 192
"""Smallest longer side, in pixels, of a picture shown to people."""


def measure(file: Path, *, header_only: bool = False) -> tuple[int, int]:
    """(width, height) of an image.

    Args:
        header_only: believe the header; otherwise all of the image is decoded.

    Raises:
        ValueError: the file is missing, empty, truncated or no image; the message is a clause for people.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        if file.stat().st_size == 0:
            raise ValueError("the file is empty")
        with Image.open(file) as image:
            if not header_only:
                image.load()
            return image.size
    except FileNotFoundError:
        raise ValueError("the image is missing") from None
    except UnidentifiedImageError:
        raise ValueError("the file is no image") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the image cannot be read ({error})") from None


def read_rgb(file: Path) -> np.ndarray:
    """An image as (H, W, 3) uint8 RGB; grey images are repeated over the channels."""
    import numpy as np
    from PIL import Image

    with Image.open(file) as image:
        if image.mode.startswith("I"):  # 16-bit grey: PIL would clip, not scale
            wide = np.asarray(image).astype(np.float64)
            return np.repeat((wide / max(1.0, wide.max()) * 255).astype(np.uint8)[..., None], 3, axis=2)
        return np.asarray(image.convert("RGB"))


def write_image(file: Path, image: np.ndarray, quality: int | None = None) -> None:
    """Write an (H, W, 3) RGB or (H, W) uint8 image in the format its name ends in.

    Args:
        quality: of a JPEG, 0 to 100.

    Raises:
        OSError: the disk is full, say, which OpenCV's own writer keeps to itself.
    """
    import cv2

    parameters = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, encoded = cv2.imencode(file.suffix, image[..., ::-1] if image.ndim == 3 else image, parameters)
    file.write_bytes(encoded)


def enlarge(image: np.ndarray) -> tuple[np.ndarray, int]:
    """A small image repeated pixel by pixel until people can see it, and by how much."""
    factor = max(1, -(-_SHOWN // max(image.shape[:2])))
    return image.repeat(factor, axis=0).repeat(factor, axis=1), factor


def label_strip(image: np.ndarray, text: str) -> np.ndarray:
    """An image with a line of text on a dark strip below it."""
    import numpy as np
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (image.shape[1], 20), (24, 24, 28))
    ImageDraw.Draw(strip).text((5, 4), text, fill=(240, 240, 240))
    return np.concatenate([image, np.asarray(strip)], axis=0)
