"""COLMAP's ``images.bin``: enough of it to tell whether the text beside it says the same.

Little-endian: the number of images (uint64), then for each its id (uint32), QW QX QY QZ TX TY TZ (doubles), the camera's id (uint32),
its name with a NUL behind, and the number of its points (uint64), each of x, y (doubles) and the id of its 3-D point (int64).
"""

from __future__ import annotations

import struct
from pathlib import Path

_COUNT, _HEAD, _POINT = struct.Struct("<Q"), struct.Struct("<I7dI"), struct.Struct("<ddq")


def count(file: Path) -> int:
    """The number of images.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return int(_COUNT.unpack(stream.read(_COUNT.size))[0])
    except (OSError, struct.error) as error:
        raise ValueError(str(error)) from None


def lines(file: Path) -> list[str]:
    """The images as lines of ``images.txt``.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        content = file.read_bytes()
        (images,), at = _COUNT.unpack_from(content), _COUNT.size
        found = []
        for _ in range(images):
            head, at = _HEAD.unpack_from(content, at), at + _HEAD.size
            end = content.index(b"\0", at)
            name = content[at:end].decode("utf-8", "surrogateescape")
            (points,), at = _COUNT.unpack_from(content, end + 1), end + 1 + _COUNT.size
            at += points * _POINT.size
            found.append(" ".join([*map(repr, head), name]))
    except (OSError, struct.error) as error:
        raise ValueError(str(error)) from None
    return found
