"""A few test images with the maps of the attention and what was predicted, kept as numbers beside the pictures drawn of them.

Importing this module imports no torch: who writes the file has it, who reads the file need not.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.files import whole

FILE = "attention.npz"
"""Name among a trial's artifacts: at most 3 images, so some 20 to 200 KB."""

LONGEST = 224
"""Pixels of the longer side of an image and of a label map; larger ones are reduced."""

SIDE = 64
"""Positions of the longer side of a map; a larger one is reduced to the means of areas."""

MOST = 8
"""Heads or maps of a layer, the first ones."""

LAYERS = 24
"""Layers of an image, the last ones."""

_LARGEST = 2**26
"""Bytes of a file's content from which on it is none of ours, and is not read."""

_QUALITY = 92
"""Of the images, which are JPEGs: a PNG of a photograph is six times as large."""


@dataclass(frozen=True)
class Marks:
    """What is true of an image, or what was predicted. Places are shares of its width and height, from 0 to 1."""

    points: np.ndarray | None = None
    """(K, 3): x, y, and 1 for a point that is known, 0 for one that is not."""
    boxes: np.ndarray | None = None
    """(N, 4): x0, y0, x1, y1."""
    scores: np.ndarray | None = None
    """(N,): how sure each box is."""
    kinds: np.ndarray | None = None
    """(N,): the class of what each box holds."""
    labels: np.ndarray | None = None
    """(h, w) uint8, a class for each pixel; 255 where there is none."""
    text: str = ""
    """In words: a class, a pose."""

    @property
    def drawn(self) -> bool:
        """Whether there is anything to draw."""
        return any(places is not None for places in (self.points, self.boxes, self.labels))


@dataclass(frozen=True)
class Pictured:
    """A test image, where the attention lay on it, and what was predicted."""

    sample: int
    """Its place in the test set, from 0."""
    image: np.ndarray
    """(h, w, 3) uint8 RGB: what the network saw, padding included, with its contrast stretched to the full range."""
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Layer -> (M, rows, columns) float32, see :attr:`harness.diagnostics.collector.Collector.maps`; none of a method that offers none."""
    true: Marks = Marks()
    predicted: Marks = Marks()
    classes: tuple[str, ...] = ()
    """Names of what :attr:`Marks.labels` and :attr:`Marks.kinds` hold."""

    @property
    def told(self) -> bool:
        """Whether there is anything beside the image itself."""
        return bool(self.maps) or any(marks.drawn or marks.text for marks in (self.true, self.predicted))


def compact(maps: np.ndarray) -> np.ndarray:
    """Maps (M, rows, columns) as they are kept: at most :data:`MOST`, :data:`SIDE` positions long."""
    import cv2

    some = maps[:MOST]
    scale = SIDE / max(some.shape[1:])
    if scale >= 1:
        return some
    size = tuple(max(1, round(length * scale)) for length in some.shape[:0:-1])
    return np.stack([cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_AREA) for one in some])


def save(file: Path, pictured: Sequence[Pictured]) -> None:
    """Write the file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    for index, one in enumerate(pictured):
        arrays[f"{index}/sample"] = np.array(one.sample)
        arrays[f"{index}/image"] = np.frombuffer(_encoded(one.image), np.uint8)
        arrays[f"{index}/classes"] = np.array(one.classes, np.str_)
        arrays[f"{index}/layers"] = np.array([*one.maps][-LAYERS:], np.str_)
        for place, maps in enumerate([*one.maps.values()][-LAYERS:]):
            values = compact(maps)
            # attention over many positions is small: half precision has three digits of shares of the largest, not of those
            largest = np.float32(np.nanmax(np.abs(values), initial=0.0)) or np.float32(1)
            arrays[f"{index}/map{place}"] = (values / largest).astype(np.float16)
            arrays[f"{index}/largest{place}"] = np.array(largest)
        for side, marks in (("true", one.true), ("predicted", one.predicted)):
            for name in ("points", "boxes", "scores", "kinds"):
                if (places := getattr(marks, name)) is not None:
                    arrays[f"{index}/{side}/{name}"] = np.asarray(places, np.float32)
            if marks.labels is not None:
                arrays[f"{index}/{side}/labels"] = _reduced(marks.labels.astype(np.uint8))
            arrays[f"{index}/{side}/text"] = np.array(marks.text, np.str_)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file, "wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def _reduced(labels: np.ndarray) -> np.ndarray:
    step = -(-max(labels.shape) // LONGEST)
    return labels[step // 2 :: step, step // 2 :: step]


def _encoded(image: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def _decoded(content: np.ndarray) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(content.tobytes()), formats=["JPEG"]) as image:
        if max(image.size) > LONGEST:
            raise ValueError(f"an image of {image.size} pixels")
        return np.asarray(image.convert("RGB"))


def over_images(file: Path) -> bool:
    """Whether a file has maps of the attention, and not predictions alone; so is one that cannot be read, for :func:`load` to tell."""
    try:
        with zipfile.ZipFile(file) as archive:
            return any("/map" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return True


def load(file: Path) -> list[Pictured]:
    """Read what :func:`save` wrote. Nothing in the file is believed: no code is run and no more than its size read.

    Raises:
        ValueError: the file is missing, torn or of another kind; the message is a clause for people.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError(f"it holds more than {_LARGEST >> 20} MiB")
        with np.load(file, allow_pickle=False) as arrays:
            return [_pictured(arrays, index) for index in range(sum(name.endswith("/sample") for name in arrays.files))]
    except FileNotFoundError:
        raise ValueError("the file is missing") from None
    except (OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the maps cannot be read ({error})") from None


def _pictured(arrays: Any, index: int) -> Pictured:
    def shaped(name: str, *shape: int | None) -> np.ndarray:
        """An array with as many axes, and the lengths that are given."""
        found: np.ndarray = arrays[f"{index}/{name}"]
        if found.ndim != len(shape) or any(wanted not in (None, length) for wanted, length in zip(shape, found.shape, strict=True)):
            raise ValueError(f"{name} has the shape {found.shape}")
        return found

    def numbers(name: str, *shape: int | None) -> np.ndarray:
        found = shaped(name, *shape)
        if found.dtype.kind not in "fiu":
            raise ValueError(f"{name} holds no numbers")
        return found.astype(np.float32)

    def marks(side: str) -> Marks:
        def some(name: str, *shape: int | None) -> np.ndarray | None:
            return numbers(f"{side}/{name}", *shape) if f"{index}/{side}/{name}" in arrays.files else None

        boxes = some("boxes", None, 4)
        count = None if boxes is None else len(boxes)
        labels, kinds = some("labels", None, None), some("kinds", count)
        return Marks(
            points=some("points", None, 3),
            boxes=boxes,
            scores=some("scores", count),
            kinds=None if kinds is None else kinds.clip(0, 1 << 15).astype(int),
            labels=None if labels is None else labels.astype(np.uint8),
            text=str(shaped(f"{side}/text")),
        )

    layers = [str(name) for name in shaped("layers", None)]
    return Pictured(
        sample=int(numbers("sample")),
        image=_decoded(shaped("image", None)),
        maps={name: numbers(f"map{place}", None, None, None) * float(numbers(f"largest{place}")) for place, name in enumerate(layers)},
        true=marks("true"),
        predicted=marks("predicted"),
        classes=tuple(str(name) for name in shaped("classes", None)),
    )
