"""TIFFs as other programs write them: layouts that Pillow and OpenCV do not."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

RGB, WHITE_IS_ZERO, BLACK_IS_ZERO = 2, 0, 1
_FORMS = {3: "H", 4: "I"}


def save(
    file: Path,
    *pages: np.ndarray,
    photometric: int = BLACK_IS_ZERO,
    planes: bool = False,
    extra: tuple[int, ...] = (),
    tile: int = 0,
    subfile: int = 0,
    order: str = "<",
) -> None:
    """Write pages (H, W, bands) uint8 or uint16, uncompressed.

    Args:
        planes: a band behind the other.
        extra: what the bands beyond those of a colour are: 0 nothing, 1 or 2 transparency.
        tile: side of tiles; one strip by default.
        subfile: what the pages behind the first are: 1 smaller copies, 4 transparency.
        order: of bytes, ``<`` or ``>``.
    """
    content = bytearray(struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 0))
    link = 4
    for number, page in enumerate(pages):
        height, width, bands = page.shape
        stored = page.astype(page.dtype.newbyteorder(order))
        parts = [stored[..., band : band + 1] for band in range(bands)] if planes else [stored]
        if tile:
            parts = [
                np.pad(part, ((0, -height % tile), (0, -width % tile), (0, 0)))[y : y + tile, x : x + tile]
                for part in parts
                for y in range(0, height, tile)
                for x in range(0, width, tile)
            ]
        places = []
        for part in parts:
            places.append(len(content))
            content += part.tobytes() + bytes(part.nbytes % 2)
        sizes = [part.nbytes for part in parts]
        tags = [
            *((254, 4, [subfile if number else 0]), (256, 4, [width]), (257, 4, [height]), (258, 3, [8 * page.itemsize] * bands)),
            *((259, 3, [1]), (262, 3, [photometric]), *([] if tile else [(273, 4, places)]), (277, 3, [bands])),
            *([] if tile else [(278, 4, [height]), (279, 4, sizes)]),
            (284, 3, [2 if planes else 1]),
            *([(322, 3, [tile]), (323, 3, [tile]), (324, 4, places), (325, 4, sizes)] if tile else []),
            *([(338, 3, [*extra])] if extra else []),
        ]
        entries = b""
        for tag, kind, values in tags:
            packed = struct.pack(f"{order}{len(values)}{_FORMS[kind]}", *values)
            if len(packed) > 4:
                place, packed = struct.pack(f"{order}I", len(content)), packed + bytes(len(packed) % 2)
                content += packed
                packed = place
            entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
        struct.pack_into(f"{order}I", content, link, len(content))
        content += struct.pack(f"{order}H", len(tags)) + entries
        link = len(content)
        content += bytes(4)
    file.write_bytes(content)
