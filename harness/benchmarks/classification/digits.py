"""scikit-learn's handwritten digits, written as an image folder: real data on any machine."""

from __future__ import annotations

from pathlib import Path


def generate(out: Path, *, train: int) -> None:
    """Write the digits as grey PNG files of 8x8 pixels.

    Args:
        out: an empty folder.
        train: the first so many images are the training split, all others the test split.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)  # stored as 0..16
    for index, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        folder = out / ("train" if index < train else "test") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index:04d}.png")
