"""What the COCO files of several families have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from pathlib import PurePosixPath
from typing import Any, cast

from harness.benchmarks.base import Listing
from harness.benchmarks.spelled import Spelled


def load(name: str, listing: Listing[Any], lists: tuple[str, ...] = ("images", "annotations", "categories")) -> dict[str, Any] | None:
    """The content of a file below the listing's root, with these lists; ``None`` (and a problem) if it is no such file."""
    text = listing.text(name, "put it there, or correct the split's annotation file in data")
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        listing.add(name, f"the file is not JSON ({error})", "fetch or export it again")
        return None
    for key in lists:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            listing.add(name, f"there is no list '{key}'", "give a file in COCO's format")
            return None
    return cast(dict[str, Any], content)


def is_set(raw: Any) -> bool:
    """Whether a mark such as ``iscrowd`` is set: 1, true, "1"; not 0, null, "0"."""
    return str(raw).strip().lower() not in ("0", "0.0", "", "none", "false", "null", "no", "unspecified")


def number(raw: Any) -> float | None:
    """A number, written as text, too; ``None`` for null, NaN, infinity and what is no number."""
    try:
        value = float("nan") if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if isfinite(value) else None


def start_elsewhere(names: Sequence[str], images: str, where: str, listing: Listing[Any]) -> bool:
    """Whether the file names of a file start from a folder above that of its images, which is then a problem.

    Args:
        names: of all images, with forward slashes.
        images: the folder that the entry says, below the listing's root.
    """
    there, some = Spelled(listing.root / images), names[:_LOOKED]
    if any(map(there.file, some)):
        return False
    for base in PurePosixPath(images).parents:
        if some and all((listing.root / base / name).is_file() for name in some):
            what = f"file names start from '{base}' and not from '{images}', e.g. '{some[0]}'"
            listing.add(where, what, f"write '{base}' as the images of this split")
            return True
    return False


_LOOKED = 20
"""Images that are looked for."""
_MANY, _FEWEST = 0.1, 10
"""Share of a file's objects, and how many of them, from which on crowds are more than the odd group: in COCO's own they are 1 %."""
_TOLD = "CVAT and Datumaro mark each object that was drawn as a mask so; write iscrowd: 0 where it is one object"


class Crowds:
    """Counts the crowds among the objects of one file."""

    def __init__(self, where: str, listing: Listing[Any]):
        self._where, self._listing = where, listing
        self._count, self._crowds = 0, 0

    def add(self, item: dict[str, Any]) -> None:
        """Count an object."""
        self._count += 1
        if is_set(item.get("iscrowd")):
            self._crowds += 1
            self._listing.left_out["crowds (iscrowd: 1), which count for nothing"] += 1

    def tell(self) -> None:
        """Refuse a file in which there is nothing else, and warn of one with many."""
        crowds, count = self._crowds, self._count
        if crowds and crowds == count:
            what = f"all {count} objects are crowds (iscrowd: 1), and nothing else is there to train or score"
            self._listing.add(self._where, what, _TOLD)
        elif crowds >= _FEWEST and crowds > _MANY * count:
            what = f"{crowds} of {count} objects are crowds (iscrowd: 1), which are neither trained on nor scored"
            self._listing.add(self._where, what, _TOLD, fatal=False)
