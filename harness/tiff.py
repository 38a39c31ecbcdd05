"""What the directories of a TIFF say, and what decoders make of it unasked.

Pillow and OpenCV turn its pixels as their orientation says, asked or not, OpenCV multiplies colours by their transparency, and Pillow
inverts numbers where 0 is to be shown white: :func:`lay_flat` takes such wishes out of the bytes, so that every decoder yields what is
stored. Of some layouts decoders yield something else than the picture: :attr:`Facts.unread` says why these are refused.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How the content of a TIFF begins; the latter two have places of 64 bits."""

_SUBFILE, _WIDTH, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _PLANAR, _TILE, _EXTRA = 254, 256, 258, 262, 274, 277, 284, 322, 338
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _LAB = 0, 1, (8, 9, 10)
_PLANES = 2
_ASSOCIATED, _UNASSOCIATED = 1, 2
_SMALLER, _MASK = 1, 4
"""Bits of a page that is a smaller copy or the transparency of another one."""

_MOST = 4
"""Bands that OpenCV reads."""

_CODES = {3: "H", 4: "I"}


@dataclass(frozen=True)
class Facts:
    """How the pixels of a TIFF's first page are stored."""

    bits: int
    """Of each number."""
    bands: int
    photometric: int
    """What the numbers mean; -1 where it is not said."""
    planes: bool
    """A band lies behind the other, and not the numbers of a pixel together."""
    tiles: bool
    extra: tuple[int, ...]
    """What bands beyond those of a colour are."""

    @property
    def white_is_zero(self) -> bool:
        """Whether greys go from white to black. (Those of single bits do not count: what writes them turns black and white itself.)"""
        return self.photometric == _WHITE_IS_ZERO and self.bits > 1

    @property
    def inverted(self) -> bool:
        """Whether greys of 16 bits go from white to black, which OpenCV does not know; it does of those of 8."""
        return self.white_is_zero and self.bits == 16

    @property
    def unread(self) -> str | None:
        """Why the pixels are not read: decoders yield others than are stored, or those of one band only; a clause for people."""
        grey = self.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
        if self.photometric in _LAB:
            return "its colours are CIE Lab, which trials would take for red, green and blue; store RGB"
        if self.bands > _MOST:
            return f"it is a TIFF of {self.bands} bands, of which none is left out unasked; store red, green and blue only"
        if grey and self.bands > 2:
            return f"it is a TIFF of {self.bands} bands that does not call them red, green and blue; write it with PHOTOMETRIC=RGB"
        if grey and self.bands == 2 and self.extra not in ((_ASSOCIATED,), (_UNASSOCIATED,)):
            return "it is a TIFF of two bands, of which the first alone would be read; store one, or say that the second is transparency"
        if grey and self.bands == 2 and (self.tiles or self.bits > 8):
            where = "tiles" if self.tiles else f"{self.bits} bits"
            return f"its greys have a transparency beside them, which is not read in {where}; store grey only"
        if self.planes and self.bands > 1 and self.bits > 8:
            return f"its colours are stored plane after plane, which is not read in {self.bits} bits; store them pixel by pixel"
        return None

    @property
    def unknown(self) -> str | None:
        """What to say where a decoder knows no such pixels, a clause for people; nothing where the file is damaged."""
        if self.photometric < 0:
            return None
        bands = f"{self.bands} band{'s' * (self.bands > 1)} of {self.bits} bits{', plane after plane' * self.planes}"
        return f"it is a TIFF of a kind that is not read ({bands}); store it pixel by pixel, as grey or RGB of 8 or 16 bits"


def facts(file: Path) -> Facts | None:
    """How a TIFF stores its pixels; ``None`` for other files.

    Raises:
        OSError: it cannot be read.
    """
    with _mapped(file) as content:
        return facts_of(content) if content else None


def facts_of(content: Any) -> Facts:
    """How the bytes of a TIFF store its pixels."""
    directory = _Directory(content)

    def first(tag: int, default: int) -> int:
        return next(iter(directory.values(tag)), default)

    return Facts(
        bits=max(directory.values(_BITS), default=1),
        bands=first(_SAMPLES, 1),
        photometric=first(_PHOTOMETRIC, -1),
        planes=first(_PLANAR, 1) == _PLANES,
        tiles=bool(directory.values(_TILE)),
        extra=directory.values(_EXTRA),
    )


def further_pages(file: Path) -> int:
    """Pages of a TIFF behind the first, but for smaller copies and masks of transparency; 0 for other files.

    Raises:
        OSError: it cannot be read.
    """
    with _mapped(file) as content:
        if not content:
            return 0
        seen, found, directory = set[int](), 0, _Directory(content)
        while directory.following not in seen and 0 < directory.following < len(content):
            seen.add(directory.following)
            directory = _Directory(content, directory.following)
            kind = directory.values(_SUBFILE) or (0,)
            found += bool(directory.values(_WIDTH)) and not kind[0] & (_SMALLER | _MASK)
        return found


def lay_flat(content: Any, *, opaque: bool = True, numbers: bool = False) -> None:
    """Change the bytes of a TIFF, in place, so that decoders yield its pixels as they are stored.

    Args:
        content: a writable buffer.
        opaque: have colours left alone that are to be multiplied by their transparency.
        numbers: have greys left alone of which 0 is to be shown white.
    """
    directory = _Directory(content)
    directory.replace(_ORIENTATION, range(2, 9), 1)
    if opaque:
        directory.replace(_EXTRA, (_UNASSOCIATED,), _ASSOCIATED)
    if numbers:
        directory.replace(_PHOTOMETRIC, (_WHITE_IS_ZERO,), _BLACK_IS_ZERO)


@contextmanager
def _mapped(file: Path) -> Iterator[Any]:
    """The bytes of a TIFF; ``None`` for other files."""
    with file.open("rb") as stream:
        if stream.read(4) not in MAGIC:
            yield None
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


class _Directory:
    """The numbers of 16 and 32 bits in a directory of a TIFF; none where it is damaged, which the decoder tells."""

    following = 0
    """Where the next directory is; 0 behind the last."""

    def __init__(self, content: Any, start: int | None = None):
        self._content = content
        self._order = "<" if bytes(content[:2]) == b"II" else ">"
        self._places: dict[int, tuple[int, int, str]] = {}
        try:
            self._read(start, big=self._number("H", 2) == 43)
        except struct.error:
            self._places = {}

    def _read(self, start: int | None, *, big: bool) -> None:
        offset, count, inline, size = ("Q", "Q", 12, 20) if big else ("I", "H", 8, 12)
        start = self._number(offset, 8 if big else 4) if start is None else start
        entries = start + struct.calcsize(f"={count}")
        many_entries = min(self._number(count, start), 1 << 12)
        for place in range(entries, entries + size * many_entries, size):
            tag, type_ = struct.unpack_from(f"{self._order}HH", self._content, place)
            many, at = self._number(offset, place + 4), place + inline
            if type_ in _CODES and many < 1 << 8:
                fits = many * struct.calcsize(f"={_CODES[type_]}") <= size - inline
                self._places[tag] = (at if fits else self._number(offset, at)), many, _CODES[type_]
        with suppress(struct.error):
            self.following = self._number(offset, entries + size * many_entries)

    def _number(self, form: str, place: int) -> int:
        found: int = struct.unpack_from(self._order + form, self._content, place)[0]
        return found

    def values(self, tag: int) -> tuple[int, ...]:
        """What stands under a tag."""
        place, many, code = self._places.get(tag, (0, 0, "H"))
        try:
            return struct.unpack_from(f"{self._order}{many}{code}", self._content, place)
        except struct.error:
            return ()

    def replace(self, tag: int, some: Any, new: int) -> None:
        """Write ``new`` in the place of each of ``some`` that stands under a tag."""
        for index, value in enumerate(self.values(tag)):
            if value in some:
                place, _, code = self._places[tag]
                struct.pack_into(f"{self._order}{code}", self._content, place + index * struct.calcsize(f"={code}"), new)
