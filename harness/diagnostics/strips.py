"""Where each map stands in a picture of attention maps, told inside the picture, so that pages can show single ones.

The picture has a row per layer: a line of text, the image below it, then a column per head or map.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Strips:
    """The layout of one picture; all lengths in pixels."""

    width: int
    height: int
    """Of the image and of each map."""
    label: int
    """Height of the line of text above a row."""
    layers: dict[str, int]
    """Layer, from above -> number of its maps, at least one."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole picture."""
        return self.width * (1 + max(self.layers.values())), (self.label + self.height) * len(self.layers)

    def box(self, layer: str, column: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the image (column 0) or of one of a layer's maps (from 1)."""
        top = [*self.layers].index(layer) * (self.label + self.height) + self.label
        return column * self.width, top, (column + 1) * self.width, top + self.height

    def comment(self) -> bytes:
        """The layout as it is kept in the picture's file; empty where it would be longer than a JPEG's comment may be."""
        text = json.dumps({"strips": asdict(self)}).encode()
        return text if len(text) < 1 << 16 - 1 else b""

    @classmethod
    def read(cls, comment: bytes, size: tuple[int, int]) -> Strips | None:
        """The layout that a picture's comment tells; ``None`` where it tells none, or none that fits a picture of this ``size``."""
        try:
            told = json.loads(comment)["strips"]
            width, height, label = (int(told[name]) for name in ("width", "height", "label"))
            found = cls(width, height, label, {str(layer): int(count) for layer, count in told["layers"].items()})
            fits = min(found.width, found.height, *found.layers.values()) > 0 <= found.label and found.size == size
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return None
        return found if fits else None


def looked_at(total: int, count: int | None = None) -> list[int]:
    """Places in a test set of ``total`` samples that diagnostics look at, the pictured ones first: spread evenly.

    Neighbours in a test set are often frames of one scene: the first samples would show nothing else.

    Args:
        count: how many; by default a fiftieth of the test set, at least 2 and at most 16.
    """
    count = min(count or min(16, max(2, total // 50)), total)
    step = (total - 1) / max(count - 1, 1)
    return [round(place * step) for place in range(count)]
