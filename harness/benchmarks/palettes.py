"""Pictures of numbers that are stored with a palette: whether their colours say the same as their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Contradiction:
    """A colour that is one number in a file and another in the next."""

    colour: tuple[int, ...]
    value: int
    file: Path
    other: int
    """The number in :attr:`before`."""
    before: Path


def contradiction(files: Iterable[Path], meaning: Callable[[int], int] = int) -> Contradiction | None:
    """The first colour that means two things; ``None`` where palettes agree, or nothing has one.

    Args:
        meaning: of a number, where not each means something of its own.
    """
    first: dict[tuple[int, ...], tuple[int, Path]] = {}
    for file in files:
        for value, colour in _colours(file).items():
            other, before = first.setdefault(colour, (value, file))
            if meaning(other) != meaning(value):
                return Contradiction(colour, value, file, other, before)
    return None


def _colours(file: Path) -> dict[int, tuple[int, ...]]:
    """Value -> colour, of the values that a palette picture holds; nothing where two of them look the same, or for other pictures."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(file) as image:
            if image.mode != "P":
                return {}
            palette = image.getpalette("RGB") or []
            found = {value: tuple(palette[3 * value : 3 * value + 3]) for value in np.unique(np.asarray(image)).tolist()}
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return {}  # told by whoever reads the file
    return found if len(set(found.values())) == len(found) else {}
