"""What OpenCV makes of the bytes of an image file, put right where it does not know what they say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import headers, tiff

if TYPE_CHECKING:
    import numpy as np


def decode(file: Path) -> np.ndarray | None:
    """(H, W, 3) BGR in uint8 or uint16 as stored; ``None`` where it cannot be read or decoded, or holds no colours of ours."""
    import cv2
    import numpy as np

    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        raw = np.fromfile(file, np.uint8)
        kind = headers.kind(head := raw[:4096].tobytes())
        facts = tiff.facts_of(raw.data) if kind == "TIFF" else None
        if facts:
            if facts.unread:
                return None
            tiff.lay_flat(raw.data)
        pixels = cv2.imdecode(raw, flags) if raw.size else None
    except (OSError, cv2.error):
        return None
    if pixels is not None and facts and facts.inverted and pixels.dtype == np.uint16:
        pixels = 65535 - pixels
    # of text, P2 and P3, OpenCV makes full range by itself
    white = headers.white(head) if kind == "PNM" and head[:2] in (b"P5", b"P6") else None
    if pixels is not None and white and white < 255:
        pixels = np.minimum(np.round(pixels / white * 255), 255).astype(np.uint8)
    return pixels
