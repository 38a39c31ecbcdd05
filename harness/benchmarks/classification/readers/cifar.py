"""CIFAR-10 and CIFAR-100 in their binary files: records of one label byte (CIFAR-100: coarse, then fine) and 3072 of pixels.

``data_batch_1.bin`` to ``data_batch_5.bin``, ``test_batch.bin`` and ``batches.meta.txt``, or ``train.bin``, ``test.bin`` and
``fine_label_names.txt``. The pixels are red, green and blue planes of 32 x 32. They are unpacked once into the harness's cache, as PNG,
so that they are read, checked and known like any other picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.benchmarks.base import Format
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.unpacking import MEND, unpack, unwritten
from harness.digests import content

if TYPE_CHECKING:
    import numpy as np

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_UNPACKED = 1
"""Version of what is unpacked: raise it whenever a picture may differ."""


@dataclass(frozen=True)
class _Files:
    """The binary files of one of the two."""

    train: tuple[str, ...]
    test: str
    names: str
    labels: int
    """Label bytes of a record, of which the last counts."""


_OF = {
    10: _Files(tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", "batches.meta.txt", 1),
    100: _Files(("train.bin",), "test.bin", "fine_label_names.txt", 2),
}


class CifarData(ClassificationData):
    """The binary version, as distributed by the University of Toronto."""

    format: Literal["cifar"]
    root: str
    classes: Literal[10, 100]
    """10 (``cifar-10-batches-bin``) or 100 (``cifar-100-binary``, its fine labels)."""

    @property
    def class_count(self) -> int:
        return self.classes


def read(root: Path, data: CifarData) -> Labels:
    """List both splits, in the order of the records."""
    files, listing = _OF[data.classes], Labels()
    listing.root = root
    text = listing.text(files.names, f"put the binary version of CIFAR-{data.classes} there")
    listing.classes = [line.strip() for line in (text or "").splitlines() if line.strip()]
    if text is not None and len(listing.classes) != data.classes:
        listing.add(files.names, f"it has {len(listing.classes)} names, not {data.classes}", "fetch it again, or correct data.classes")
    for name in files.train:
        listing.train += _file(root, name, files.labels, data.classes, listing)
    listing.test = _file(root, files.test, files.labels, data.classes, listing)
    return listing


def _file(root: Path, name: str, label_bytes: int, classes: int, listing: Labels) -> list[Labelled]:
    import numpy as np

    listing.sources.append(root / name)
    try:
        raw = np.frombuffer((root / name).read_bytes(), np.uint8)
    except OSError as error:
        listing.add(name, f"the file cannot be read ({error.strerror})", f"put the binary version of CIFAR-{classes} there")
        return []
    if not len(raw) or len(raw) % (label_bytes + _PIXELS):
        listing.add(
            name, f"its {len(raw)} bytes are no records of {label_bytes + _PIXELS}", "fetch it again: it is cut off, or another file"
        )
        return []
    records = raw.reshape(-1, label_bytes + _PIXELS)
    labels = records[:, label_bytes - 1]
    if labels.max() >= classes:
        listing.add(name, f"it has the label {labels.max()}, but there are {classes} classes", "correct data.classes, or fetch it again")
        return []
    try:
        folder = _unpacked(root / name, records[:, label_bytes:])
    except OSError as error:
        listing.add(name, f"its pictures {unwritten(error)}", MEND)
        return []
    listing.unpacked.append(folder)
    return [Labelled(folder / f"{index:05d}.png", int(label)) for index, label in enumerate(labels)]


def _unpacked(file: Path, pixels: np.ndarray) -> Path:
    """The folder of the file's pictures.

    Raises:
        OSError: it cannot be written.
    """
    from PIL import Image

    def write(folder: Path) -> None:
        for index, image in enumerate(pixels.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)):
            Image.fromarray(image).save(folder / f"{index:05d}.png")

    digest = hashlib.blake2b(content(file) + bytes([_UNPACKED]), digest_size=12).hexdigest()
    return unpack(f"{file.stem}-{digest}", write)


FORMAT = Format(CifarData, read)
