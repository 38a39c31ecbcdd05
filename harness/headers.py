"""What the head of an image file says, whatever its name ends in: its kind, its depth, and what decoders make of it unasked.

Decoders differ in TIFF: Pillow and OpenCV turn its pixels as their orientation says, asked or not, and OpenCV multiplies colours by
their transparency. :func:`lay_flat` takes both wishes out of the bytes, so that every decoder yields what is stored.
"""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path
from typing import Any

BESIDE = frozenset(
    f".{suffix}"
    for suffix in (
        *("txt", "xml", "json", "jsonl", "csv", "tsv", "yaml", "yml", "toml", "mat", "pkl", "pickle", "h5", "hdf5", "names", "data"),
        *("md", "rst", "html", "htm", "pdf", "xls", "xlsx", "doc", "docx", "log", "cfg", "ini"),
        *("xmp", "aae", "url", "lnk", "md5", "sha256", "py", "ipynb", "sh", "bat", "db", "sqlite", "cache", "lock", "tmp", "bak", "part"),
    )
)
"""Suffixes of annotations, notes and programs, which lie beside pictures and are none."""

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF"),
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"8BPS": "PSD",
    b"\x76\x2f\x31\x01": "EXR",
    b"#?RADIANCE": "HDR",
    **dict.fromkeys((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "), "JPEG 2000"),
    **dict.fromkeys((b"\xff\x0a", b"\0\0\0\x0cJXL "), "JPEG XL"),
}
_ENOUGH = 4096
"""Bytes of a head; comments in a PNM may be long."""

_SHALLOW = ("JPEG", "BMP", "GIF", "WEBP", "")

_BITS, _PHOTOMETRIC, _ORIENTATION, _EXTRA = 258, 262, 274, 338
_LAB = (8, 9, 10)
_UNASSOCIATED, _ASSOCIATED = 2, 1


def kind(head: bytes) -> str:
    """Which kind of picture begins so, e.g. ``PNG``; an empty text for none that is known."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1"):
        return "HEIF"
    if re.match(rb"P[1-6][\s#]", head):
        return "PNM"
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def is_picture(file: Path) -> bool:
    """Whether a file begins as a picture does."""
    try:
        return bool(kind(_head(file)))
    except OSError:
        return False


def kind_of(file: Path) -> str:
    """The :func:`kind` of a file.

    Raises:
        OSError: it cannot be read.
    """
    return kind(_head(file))


def is_deep(file: Path) -> bool | None:
    """Whether a picture holds more than 8 bits per channel; ``None`` where its head does not tell.

    Raises:
        OSError: it cannot be read.
    """
    head = _head(file)
    name = kind(head)
    if name == "PNG":
        return head[24:25] == b"\x10"
    if name == "PNM":
        return (white(head) or 0) > 255
    if name == "TIFF":
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return max(_Tiff(content).values(_BITS), default=1) > 8
    return False if name in _SHALLOW else None


def is_lossy(file: Path) -> bool:
    """Whether a picture is of a kind that changes numbers when it compresses: a WebP, unless it says that it does not.

    Raises:
        OSError: it cannot be read.
    """
    head = _head(file)
    return kind(head) in ("JPEG", "JPEG 2000", "HEIF") or (kind(head) == "WEBP" and b"VP8L" not in head)


def white(head: bytes) -> int | None:
    """What white is in a PNM that says so; ``None`` where it says nothing, or is damaged."""
    words = re.sub(rb"#[^\r\n]*", b"", head[:_ENOUGH]).split(maxsplit=4)
    return int(words[3]) if words and words[0] in (b"P2", b"P3", b"P5", b"P6") and len(words) > 3 and words[3].isdigit() else None


def is_lab(content: Any) -> bool:
    """Whether the bytes of a TIFF hold CIE Lab, which decoders take for red, green and blue."""
    return any(value in _LAB for value in _Tiff(content).values(_PHOTOMETRIC))


def lay_flat(content: Any, *, opaque: bool = True) -> None:
    """Change the bytes of a TIFF, in place, so that decoders yield its pixels as they are stored.

    Args:
        content: a writable buffer.
        opaque: have colours left alone that are to be multiplied by their transparency.
    """
    tiff = _Tiff(content)
    tiff.replace(_ORIENTATION, range(2, 9), 1)
    if opaque:
        tiff.replace(_EXTRA, (_UNASSOCIATED,), _ASSOCIATED)


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_ENOUGH)


class _Tiff:
    """The 16-bit numbers in a TIFF's first directory; none where it is damaged, which the decoder tells."""

    def __init__(self, content: Any):
        self._content = content
        self._order = "<" if bytes(content[:2]) == b"II" else ">"
        self._places: dict[int, tuple[int, int]] = {}
        try:
            self._read(big=self._number("H", 2) == 43)
        except struct.error:
            self._places = {}

    def _read(self, *, big: bool) -> None:
        offset, count, inline, size = ("Q", "Q", 12, 20) if big else ("I", "H", 8, 12)
        start = self._number(offset, 8 if big else 4)
        entries = start + struct.calcsize(f"={count}")
        for place in range(entries, entries + size * min(self._number(count, start), 1 << 12), size):
            tag, type_ = struct.unpack_from(f"{self._order}HH", self._content, place)
            many, at = self._number(offset, place + 4), place + inline
            if type_ == 3 and many < 1 << 8:
                self._places[tag] = (at if 2 * many <= size - inline else self._number(offset, at)), many

    def _number(self, form: str, place: int) -> int:
        found: int = struct.unpack_from(self._order + form, self._content, place)[0]
        return found

    def values(self, tag: int) -> tuple[int, ...]:
        """What stands under a tag."""
        place, many = self._places.get(tag, (0, 0))
        try:
            return struct.unpack_from(f"{self._order}{many}H", self._content, place)
        except struct.error:
            return ()

    def replace(self, tag: int, some: Any, new: int) -> None:
        """Write ``new`` in the place of each of ``some`` that stands under a tag."""
        for index, value in enumerate(self.values(tag)):
            if value in some:
                struct.pack_into(f"{self._order}H", self._content, self._places[tag][0] + 2 * index, new)
