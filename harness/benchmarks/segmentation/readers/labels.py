"""From what a label map holds to class numbers: one table for training, test, floor, check and pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from harness import headers
from harness.benchmarks.segmentation.options import MappedData
from harness.errors import DataError, UsageError
from harness.images import orientation, stored, upright
from harness.texts import few

if TYPE_CHECKING:
    import numpy as np

UNKNOWN = 256
"""Stands in a table for a value that means nothing."""

_COLOUR = re.compile(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})|(\d{1,3})[ ,]+(\d{1,3})[ ,]+(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True)
class Labels:
    """How label maps are read."""

    classes: tuple[str, ...]
    """Names in label order."""
    ignore: int
    """The label of pixels that are neither trained on nor scored."""
    table: tuple[int, ...]
    """Value (0 to 255) of a file -> label, ``ignore`` or :data:`UNKNOWN`."""
    colours: Mapping[int, int] | None = None
    """Red * 65536 + green * 256 + blue -> label, where the files are coloured."""
    exif: bool = False
    """Turn them as their own EXIF orientation says, as pictures are."""

    def __deepcopy__(self, _memo: object) -> Labels:
        return self  # nobody changes it, and mmengine copies all that it knows of a sample whenever that is asked for

    @property
    def counts(self) -> bool:
        """Whether a greater value is a class of a greater number, and of no colour."""
        found = [label for label in self.table if label < len(self.classes) and label != self.ignore]
        return self.colours is None and all(one < other for one, other in pairwise(found))

    def read(self, file: Path) -> np.ndarray:
        """The label map (H, W) uint8.

        Raises:
            DataError: missing, unreadable, lossy, of the wrong kind of pixels, or with values that mean nothing.
        """
        import numpy as np

        values = _values(file, coloured=self.colours is not None)
        if self.colours is None:
            labels: np.ndarray = np.array(self.table, np.uint16)[values]
        else:
            known, where = np.unique(values, return_inverse=True)
            labels = np.array([self.colours.get(int(value), UNKNOWN) for value in known], np.uint16)[where].reshape(values.shape)
        wrong = labels == UNKNOWN
        if wrong.any():
            raise DataError(self._unknown(file, np.unique(values[wrong]).tolist()))
        return upright(labels.astype(np.uint8), orientation(file) if self.exif else 1)

    def _unknown(self, file: Path, values: list[int]) -> str:
        shown = values if self.colours is None else ["{},{},{}".format(*divmod(v >> 8, 256), v & 255) for v in values]
        what = "colours" if self.colours is not None else "labels"
        known = sorted(value for value, label in enumerate(self.table) if label < len(self.classes))
        counted = "data.labels"
        if known and self.colours is None:
            between = known[-1] - known[0] == len(known) - 1
            counted = f"the classes {known[0]} to {known[-1]}" if between else f"{few(known)}, which data.labels names,"
        mend = "Correct the label map, data.classes or data.ignore, or say what its values mean: data.labels: {VALUE: CLASS, ...}."
        return f"the label map {file}: {what} {few(shown)} are outside {counted} and not ignored. {mend}"


def _values(file: Path, *, coloured: bool) -> np.ndarray:
    """Values (H, W) as stored, 0 to 255, or packed colours.

    Raises:
        DataError: see :meth:`Labels.read`.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with stored(file, numbers=True) as image:
            if headers.is_lossy(file):
                raise DataError(f"the label map {file} is {image.format}, which changes labels when it compresses. Write it anew as PNG.")
            mode = image.mode
            if coloured:
                red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.uint32), -1, 0)
                packed: np.ndarray = red * 65536 + green * 256 + blue
                return packed
            values = np.asarray(image)
    except FileNotFoundError:
        raise DataError(f"the label map {file} is missing. Add it, or take its image out of the split.") from None
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read the label map {file}: {error}. Write it again as an 8-bit PNG.") from error
    if mode == "LA" or (mode in ("RGB", "RGBA") and (values[..., :1] == values[..., 1:3]).all()):
        mend = "Write one channel of it as an 8-bit PNG, or say what its greys mean: data.labels: {'1,1,1': CLASS, ...}."
        raise DataError(f"the label map {file} is of mode {mode}, but all grey. {mend}")
    if values.ndim != 2:
        mend = "If its colours mean classes, say so: data.labels: {'128,0,0': CLASS, ...}; or write it as an 8-bit PNG of class numbers."
        raise DataError(f"the label map {file} is of mode {mode}. {mend}")
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        raise DataError(f"the label map {file} holds fractions or NaN. Write it again as an 8-bit PNG of class numbers.")
    if values.dtype != bool and values.size and not (values.dtype.kind in "uif" and values.min() >= 0 and values.max() <= 255):
        raise DataError(f"the label map {file} holds values beyond 0 to 255. Write it again as an 8-bit PNG of class numbers.")
    return values.astype(np.uint8)


def counted(classes: Sequence[str], ignore_index: int, ignore: Sequence[int] = (), *, reduce_zero: bool = False) -> Labels:
    """Labels that count the classes, from 0, or from 1 with ``reduce_zero``."""
    first = 1 if reduce_zero else 0
    table = [value - first if first <= value < len(classes) + first else UNKNOWN for value in range(256)]
    table[ignore_index] = ignore_index
    for value in ({0, 255} if reduce_zero else set()) | set(ignore):
        table[value] = ignore_index
    return Labels(tuple(classes), ignore_index, tuple(table))


def explained(data: MappedData) -> Labels:
    """Labels as an entry explains them.

    Raises:
        UsageError: a key of ``labels`` is neither a value nor a colour, both kinds are mixed, or two keys are one value.
    """
    if not data.labels:
        return counted(data.classes, data.ignore_index, data.ignore, reduce_zero=data.reduce_zero_label)
    meaning = {name: index for index, name in enumerate(data.classes)} | {"ignore": data.ignore_index}
    values = {key: int(key) for key in data.labels if key.isdecimal() and len(key) < 10 and int(key) < 256}
    colours = {key: _colour(found) for key in data.labels if (found := _COLOUR.fullmatch(key.strip()))}
    odd = [key for key in data.labels if key not in values and key not in colours]
    if odd or (values and colours):
        what = f"'{odd[0]}' is neither a value from 0 to 255 nor a colour like 128,0,0" if odd else "values and colours are mixed"
        raise UsageError(f"data.labels: {what}. Write e.g. labels: {{0: background, 255: cell}}.")
    first: dict[int, str] = {}
    for key, value in (values or colours).items():
        if (other := first.setdefault(value, key)) != key:
            raise UsageError(f"data.labels: '{other}' and '{key}' are the same {'value' if values else 'colour'}. Delete one of them.")
    table = [UNKNOWN] * 256
    for key, value in values.items():
        table[value] = meaning[data.labels[key]]
    packed = {colour: meaning[data.labels[key]] for key, colour in colours.items()}
    return Labels(tuple(data.classes), data.ignore_index, tuple(table), packed or None)


def _colour(found: re.Match[str]) -> int:
    digits = [int(part, 16) for part in found.groups()[:3]] if found[1] else [int(part) for part in found.groups()[3:]]
    if max(digits) > 255:
        raise UsageError(f"data.labels: '{found[0]}' is no colour: red, green and blue go from 0 to 255.")
    return digits[0] * 65536 + digits[1] * 256 + digits[2]
