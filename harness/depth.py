"""How many bits the pixels of a dataset's pictures need."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness import headers
from harness.images import DEEP, read_deep

if TYPE_CHECKING:
    import numpy as np

_ASKED = 2000
"""Of more files than this whose names end in .jpg, and which should have 8 bits then, some are asked whether they are JPEG."""


def significant_bits(files: Iterable[Path]) -> int | None:
    """The fewest of :data:`~harness.images.DEEP` that hold every pixel of the pictures with more than 8 bits; ``None`` where there are
    none.

    Only files whose head says so, or does not tell, are decoded.
    """
    largest = None
    for file in _asked(files):
        try:
            deep = headers.is_deep(file)
        except (OSError, ValueError):  # whoever reads the pixels says what is wrong
            continue
        if deep is not False and (pixels := _deep(file)) is not None:
            largest = max(largest or 0, int(pixels.max()))
            if largest >= 1 << DEEP[-2]:
                break
    return None if largest is None else next(bits for bits in DEEP if largest < 1 << bits)


def usual_bits(files: Iterable[Path]) -> int | None:
    """The fewest of :data:`~harness.images.DEEP` that hold all but a thousandth of the pixels of the pictures with 16 bits; ``None`` for
    no such.
    """
    import numpy as np

    lengths = np.zeros(DEEP[-1] + 1, np.int64)
    for file in files:
        if (pixels := _deep(file)) is not None:
            lengths += np.bincount(np.frexp(pixels.max(-1).ravel())[1], minlength=len(lengths))
    return next((bits for bits in DEEP if lengths[bits + 1 :].sum() <= lengths.sum() / 1000), None) if lengths.any() else None


def _deep(file: Path) -> np.ndarray | None:
    """The pixels of a picture with 16 bits."""
    try:
        pixels = read_deep(file)
    except ValueError:  # told by whoever looks at all pictures
        return None
    return pixels if pixels.dtype.itemsize == 2 else None


def _asked(files: Iterable[Path]) -> list[Path]:
    """Without most of many JPEGs, as their names have it: a head costs little, those of a million files on another machine do not."""
    jpegs, others = list[Path](), list[Path]()
    for file in files:
        (jpegs if file.suffix.lower() in (".jpg", ".jpeg") else others).append(file)
    return others + jpegs[:: -(-len(jpegs) // _ASKED) or 1]
