"""Per-sample scores as compressed bytes: little-endian float32, deflated; never pickled."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def pack(values: np.ndarray) -> bytes:
    """Compress a one-dimensional array as float32.

    Scores share their high bytes (sign and exponent), so all first bytes are stored together, then all second
    ones, and so on: runs of equal bytes deflate better.
    """
    import numpy as np

    planes = np.ascontiguousarray(values, dtype="<f4").view(np.uint8).reshape(-1, 4).T
    return zlib.compress(planes.tobytes(), 6)


def unpack(data: bytes, count: int) -> np.ndarray:
    """The ``count`` float32 values behind :func:`pack`.

    Raises:
        ValueError: the bytes are not ``count`` packed values.
    """
    import numpy as np

    decompressor = zlib.decompressobj()
    try:
        # one byte more than expected, so that a longer stream is noticed without being inflated whole
        raw = decompressor.decompress(data, 4 * count + 1)
    except zlib.error as error:
        raise ValueError(f"not a packed array: {error}") from None
    if len(raw) != 4 * count:
        raise ValueError(f"not {count} packed values")
    return np.frombuffer(raw, np.uint8).reshape(4, count).T.copy().view("<f4").reshape(count)
