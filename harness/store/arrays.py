"""Arrays as compressed bytes, deflated, never pickled: per-sample scores as little-endian float32, learning curves as float64, and what
was taken for what as JSON, since most classes are never taken for most others."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from harness.outcome import Confusion

if TYPE_CHECKING:
    import numpy as np

_LARGEST = 1 << 26
"""Bytes of the JSON of one trial's counts."""


def pack(values: np.ndarray, size: int = 4) -> bytes:
    """Compress a one-dimensional array as floats of ``size`` bytes.

    Scores share their high bytes (sign and exponent), so all first bytes are stored together, then all second
    ones, and so on: runs of equal bytes deflate better.
    """
    import numpy as np

    planes = np.ascontiguousarray(values, dtype=f"<f{size}").view(np.uint8).reshape(-1, size).T
    return zlib.compress(planes.tobytes(), 6)


def unpack(data: bytes, count: int, size: int = 4) -> np.ndarray:
    """The ``count`` floats of ``size`` bytes behind :func:`pack`.

    Raises:
        ValueError: the bytes are not ``count`` packed values.
    """
    import numpy as np

    decompressor = zlib.decompressobj()
    try:
        # one byte more than expected, so that a longer stream is noticed without being inflated whole
        raw = decompressor.decompress(data, size * count + 1)
    except zlib.error as error:
        raise ValueError(f"not a packed array: {error}") from None
    if len(raw) != size * count:
        raise ValueError(f"not {count} packed values")
    return np.frombuffer(raw, np.uint8).reshape(size, count).T.copy().view(f"<f{size}").reshape(count)


def pack_curve(points: np.ndarray) -> bytes:
    """Compress a curve, (points, 2) of epoch and value."""
    import numpy as np

    return pack(np.asarray(points, np.float64).reshape(-1, 2).T.reshape(-1), 8)


def unpack_curve(data: bytes, count: int) -> np.ndarray:
    """The (count, 2) float64 behind :func:`pack_curve`.

    Raises:
        ValueError: the bytes are not so many packed points.
    """
    import numpy as np

    return np.ascontiguousarray(unpack(data, 2 * count, 8).reshape(2, count).T)


def pack_confusion(confusion: Confusion) -> bytes:
    """Compress the names of the classes and the counts that are not zero."""
    rows, columns = confusion.counts.nonzero()
    cells = [rows.tolist(), columns.tolist(), confusion.counts[rows, columns].tolist()]
    return zlib.compress(json.dumps([confusion.classes, *cells], ensure_ascii=False, separators=(",", ":")).encode(), 6)


def unpack_confusion(data: bytes, count: int, unit: str) -> Confusion:
    """What is behind :func:`pack_confusion`, of ``count`` classes.

    Raises:
        ValueError: the bytes are not the packed counts of so many classes.
    """
    import numpy as np

    decompressor = zlib.decompressobj()
    try:
        classes, rows, columns, values = json.loads(decompressor.decompress(data, _LARGEST))
        if len(classes) != count or not all(isinstance(name, str) for name in classes):
            raise ValueError
        places, numbers = np.array([rows, columns]), np.array(values)
        counts = np.zeros((count, count), np.int64)
        if numbers.size:
            if places.dtype.kind != "i" or numbers.dtype.kind != "i" or places.min() < 0 or numbers.min() < 0:
                raise ValueError
            counts[tuple(places)] = numbers
    except (zlib.error, ValueError, TypeError, IndexError, RecursionError):
        raise ValueError(f"not the packed counts of {count} classes") from None
    return Confusion(tuple(classes), counts, unit)
