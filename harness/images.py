"""Image files: which are read, how they become pixels, and pictures for people to look at.

There is one way from a file to pixels (:func:`read_bgr`), for training, test, floor, check and pictures alike:

* **orientation**: the EXIF tag is ignored, as by COCO's tools and OpenCV's ``IMREAD_IGNORE_ORIENTATION``, unless asked for; that of
  a TIFF, too;
* **range**: 16-bit pixels of ``bits`` significant bits are shifted to 8; in a PGM or PPM of fewer than 8 bits white is what it says;
* **channels**: grey is repeated, transparency dropped; of an animation or a stack of pages the first picture counts.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import headers, opencv, tiff

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

OTHER_SUFFIXES = (".avif", ".dcm", ".exr", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".npy", ".raw", ".svg", ".tga")
"""Of pictures, too, but not read: counted, as other suffixes are, so that nobody misses them unnoticed."""

_OTHER_KINDS = ("HEIF", "JPEG XL", "EXR", "HDR")
"""Of content, whatever the suffix, that Pillow does not read."""

DEEP = (8, 10, 12, 14, 16)
"""Significant bits that pictures of more than 8 bits may have."""

THUMB = 16
"""Side of the thumbnails by which pictures are compared."""

_JUNK = ("@eadir", "__macosx", "$recycle.bin", "lost+found", "thumbs.db", "desktop.ini")
"""Folders and files that operating systems leave behind."""

_ORIENTATION = 0x0112
_SHOWN = 192
"""Smallest longer side, in pixels, of a picture shown to people."""


@dataclass(frozen=True)
class Decoding:
    """How a dataset's files become pixels."""

    exif: bool = False
    """Turn pictures as their EXIF orientation says."""
    bits: int = 16
    """Significant bits of pictures with more than 8."""

    def __deepcopy__(self, _memo: object) -> Decoding:
        return self  # nobody changes it, and mmengine copies all that it knows of a sample whenever that is asked for


@dataclass
class Found:
    """What a search in a folder met."""

    files: list[Path] = field(default_factory=list)
    """Images, by path."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """What was not read -> how often, e.g. ``.gif files`` or ``hidden folders``."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder is an editor's, a system's or a version control's own."""
    return name.startswith(".") or name.lower() in _JUNK


def search(folder: Path, suffixes: Iterable[str] = SUFFIXES) -> Found:
    """All images under ``folder``, by path; links are followed once, hidden and system folders are not entered.

    Args:
        suffixes: which files are images; case does not matter.
    """
    wanted, found = tuple(suffix.lower() for suffix in suffixes), Found()
    entered = {os.path.realpath(folder)}
    for base, folders, names in os.walk(folder, followlinks=True):
        kept = []
        for name in sorted(folders):
            place = os.path.realpath(os.path.join(base, name))
            if is_hidden(name):
                found.passed_over["hidden or system folders"] += 1
            elif place in entered:
                found.passed_over["links to folders that are read already"] += 1
            else:
                entered.add(place)
                kept.append(name)
        folders[:] = kept
        for name in names:
            lower = name.lower()
            if is_hidden(name):
                continue
            if lower.endswith(wanted):
                found.files.append(Path(base, name))
            elif kind := _other(Path(base, name)):
                found.passed_over[kind] += 1
    found.files.sort(key=lambda file: file.relative_to(folder).as_posix())
    return found


def _other(file: Path) -> str | None:
    """What to call a file that is not read and that somebody might miss."""
    suffix = file.suffix.lower()
    if suffix in headers.BESIDE:
        return None
    if re.fullmatch(r"\.(?=.*[a-z])[a-z0-9]{1,5}", suffix):
        return f"{suffix} files"
    return "pictures without a known suffix" if headers.is_picture(file) else None


def measure(file: Path, *, header_only: bool = False, exif: bool = False) -> tuple[int, int]:
    """(width, height) of an image.

    Args:
        header_only: believe the header; otherwise all of the image is decoded.
        exif: as it is shown when its EXIF orientation is applied.

    Raises:
        ValueError: the file is missing, empty, truncated or no image, or of a kind of pixels that is not read; the message
            is a clause for people.
    """
    with _opened(file) as image:
        if not header_only:
            _load(image, file)
        return image.size[::-1] if exif and _turned(orientation(file)) else image.size


def glance(file: Path, bits: int) -> tuple[tuple[int, int], np.ndarray]:
    """(width, height) and the :func:`thumbnail` of an image, as it is stored.

    Args:
        bits: significant bits of pictures with more than 8.

    Raises:
        ValueError: as :func:`measure` does.
    """
    import numpy as np
    from PIL import Image

    with _opened(file) as image:
        _load(image, file)
        if not headers.is_deep(file):
            return image.size, thumbnail(image)
    pixels = np.ascontiguousarray(read_rgb(file, Decoding(bits=bits)))
    return image.size, thumbnail(Image.fromarray(pixels))


def thumbnail(image: Image.Image, side: int = THUMB) -> np.ndarray:
    """Mean grey levels of an image in (side, side) cells, uint8, whatever its proportions."""
    import numpy as np
    from PIL import Image

    return np.asarray(image.convert("L").resize((side, side), Image.Resampling.BOX))


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """An image with its header read; what is wrong with it is a ``ValueError``, a clause for people."""
    from PIL import Image, UnidentifiedImageError

    try:
        if file.stat().st_size == 0:
            raise ValueError("the file is empty")
        facts = tiff.facts(file)
        if facts and facts.unread:
            raise ValueError(facts.unread)
        with _stored(file, facts, numbers=False) as image:
            if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
                raise ValueError(f"its pixels are {'floating-point' if image.mode == 'F' else '32-bit'} numbers; store 8 or 16 bits")
            yield image
    except FileNotFoundError:
        raise ValueError("the image is missing") from None
    except IsADirectoryError:
        raise ValueError("it is a folder") from None
    except UnidentifiedImageError:
        if facts and facts.unknown:
            raise ValueError(facts.unknown) from None
        kind = headers.kind_of(file)
        what = f"its content is {kind}, which is not read; convert it to JPEG or PNG" if kind in _OTHER_KINDS else "the file is no image"
        raise ValueError(what) from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the image cannot be read ({error})") from None


@contextlib.contextmanager
def stored(file: Path, *, numbers: bool = False) -> Iterator[Image.Image]:
    """An image as Pillow opens it, with its pixels as they are stored: a TIFF, too, which Pillow turns as its orientation says.

    Args:
        numbers: its greys are numbers, whichever of them a TIFF wants shown white.

    Raises:
        Exception: what ``PIL.Image.open`` raises.
    """
    with _stored(file, tiff.facts(file), numbers=numbers) as image:
        yield image


@contextlib.contextmanager
def _stored(file: Path, facts: tiff.Facts | None, *, numbers: bool) -> Iterator[Image.Image]:
    from PIL import Image

    numbers = facts is not None and facts.white_is_zero and (numbers or facts.inverted)
    if not numbers:
        with Image.open(file) as image:
            if image.format != "TIFF" or image.getexif().get(_ORIENTATION, 1) == 1:
                yield image
                return
    content = bytearray(file.read_bytes())
    tiff.lay_flat(content, opaque=False, numbers=numbers)
    with Image.open(io.BytesIO(content)) as image:
        yield image


def _load(image: Image.Image, file: Path) -> None:
    """Decode all of it, by what trials decode with, too: of damage one takes what the other does not."""
    try:
        image.load()
    except ValueError as error:
        facts = tiff.facts(file) if "raw mode" in str(error) else None
        raise ValueError((facts and facts.unknown) or str(error)) from None
    if image.format != "JPEG" and opencv.decode(file) is None:  # what is damaged in a JPEG, Pillow sees
        raise ValueError("the image cannot be decoded")


def _turned(orientation: Any) -> bool:
    """Whether an EXIF orientation exchanges width and height."""
    return orientation in (5, 6, 7, 8)


def orientation(file: Path) -> int:
    """The EXIF orientation of an image, 1 (upright) where it has none or cannot be read."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # whoever reads the pixels says what is wrong
        return 1
    return found if found in range(1, 9) else 1


def read_deep(file: Path, *, exif: bool = False) -> np.ndarray:
    """An image as (H, W, 3) BGR in uint8 or uint16, whichever is stored.

    Args:
        exif: turned as its EXIF orientation says.

    Raises:
        ValueError: it is missing, cannot be decoded, or has pixels that are not 8 or 16 bits; a clause for people.
    """
    import numpy as np

    pixels = opencv.decode(file)
    if pixels is None:
        measure(file)  # says why, where it knows
        raise ValueError("the image cannot be decoded")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"its pixels are {pixels.dtype} numbers; store 8 or 16 bits")
    return upright(pixels, orientation(file)) if exif else pixels


def read_bgr(file: Path, decoding: Decoding = Decoding()) -> np.ndarray:
    """An image as (H, W, 3) uint8 BGR.

    Raises:
        ValueError: as :func:`read_deep` does.
    """
    import numpy as np

    pixels = read_deep(file, exif=decoding.exif)
    return np.minimum(pixels >> (decoding.bits - 8), 255).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, ...) turned as an EXIF orientation asks (CIPA DC-008, tag 274)."""
    import numpy as np

    if _turned(orientation):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def read_rgb(file: Path, decoding: Decoding = Decoding()) -> np.ndarray:
    """An image as (H, W, 3) uint8 RGB, see :func:`read_bgr`."""
    return read_bgr(file, decoding)[..., ::-1]


def write_image(file: Path, image: np.ndarray, quality: int | None = None) -> None:
    """Write an (H, W, 3) RGB or (H, W) image, uint8 or (as PNG) uint16, in the format its name ends in.

    Args:
        quality: of a JPEG, 0 to 100.

    Raises:
        OSError: the disk is full, say, which OpenCV's own writer keeps to itself.
    """
    import cv2

    parameters = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, encoded = cv2.imencode(file.suffix, image[..., ::-1] if image.ndim == 3 else image, parameters)
    file.write_bytes(encoded.data)


def write_indexed(file: Path, labels: np.ndarray) -> None:
    """Write numbers (H, W) uint8 as a PNG with PASCAL VOC's palette, as DAVIS's tools read and write masks.

    Raises:
        OSError: the disk is full, say.
    """
    import io

    from PIL import Image

    image, content = Image.fromarray(labels), io.BytesIO()
    image.putpalette([part for number in range(256) for part in voc_colour(number)])
    image.save(content, "PNG")
    file.write_bytes(content.getvalue())


def voc_colour(number: int) -> tuple[int, int, int]:
    """RGB of a number in PASCAL VOC's palette: its bits, three at a time, from the highest of each colour down."""
    parts = [0, 0, 0]
    for place in range(8):
        for part in range(3):
            parts[part] |= (number >> (3 * place + part) & 1) << (7 - place)
    return parts[0], parts[1], parts[2]


def enlarge(image: np.ndarray) -> tuple[np.ndarray, int]:
    """A small image repeated pixel by pixel until people can see it, and by how much."""
    factor = max(1, -(-_SHOWN // max(image.shape[:2])))
    return image.repeat(factor, axis=0).repeat(factor, axis=1), factor


def label_strip(image: np.ndarray, text: str) -> np.ndarray:
    """An image with a line of text on a dark strip below it."""
    import numpy as np
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (image.shape[1], 20), (24, 24, 28))
    ImageDraw.Draw(strip).text((5, 4), text, fill=(240, 240, 240))
    return np.concatenate([image, np.asarray(strip)], axis=0)
