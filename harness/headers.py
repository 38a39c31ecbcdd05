"""What the head of an image file says, whatever its name ends in: its kind and its depth."""

from __future__ import annotations

import re
from pathlib import Path

from harness import tiff

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
    **dict.fromkeys(tiff.MAGIC, "TIFF"),
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
        return (facts := tiff.facts(file)) is not None and facts.bits > 8
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


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_ENOUGH)
