"""Arrays as compressed bytes, little-endian and deflated, never pickled: per-sample scores in float32, learning curves in float64."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


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
