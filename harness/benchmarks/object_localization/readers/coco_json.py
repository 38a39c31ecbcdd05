"""What a COCO JSON file holds: its images, its categories, and ids matched whatever their type."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.benchmarks.base import Listing
from harness.benchmarks.object_localization.readers.picture import several
from harness.benchmarks.spelled import Spelled, folded


class Ids:
    """Ids of one kind; 13, 13.0 and "13" mean one another where only one of them exists."""

    def __init__(self, known: Iterable[Any]):
        self._known: dict[Any, list[Any]] = {}
        for one in known:
            self._known.setdefault(plain(one), []).append(one)
        self._whole = {one for alike in self._known.values() for one in alike if type(one) is int}

    def find(self, wanted: Any) -> Any:
        """The known id that is meant; ``None`` for none, or several."""
        if type(wanted) is int and wanted in self._whole:
            return wanted
        alike = self._known.get(plain(wanted), [])
        same = [one for one in alike if one == wanted and type(one) is type(wanted)]
        return same[0] if same else alike[0] if len(alike) == 1 else None


def plain(number: Any) -> Any:
    """An id as a whole number where it is one, whatever its type; ``None`` where it is no id."""
    if isinstance(number, str):
        whole = re.fullmatch(r"\s*(-?\d{1,18})(\.0+)?\s*", number)
        return int(whole[1]) if whole else number
    if isinstance(number, float):
        return int(number) if number.is_integer() else number
    return number if isinstance(number, int) and not isinstance(number, bool) else None


@dataclass(frozen=True)
class Image:
    """An entry of ``images``."""

    file: str
    """Path inside the folder of the images."""
    size: tuple[int, int] | None


def images_of(entries: list[Any], where: str, folder: Path, listing: Listing[Any]) -> dict[Any, Image]:
    """Image id -> image; what stands there twice counts once, and is refused where it is spelled in two ways.

    Args:
        folder: of the images.
    """
    found: dict[Any, Image] = {}
    there, spelled = Spelled(folder), dict[str, str]()
    names: Counter[str] = Counter()
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str) or plain(entry.get("id")) is None:
            listing.add(where, f"an image lacks id or file_name: {str(entry)[:60]}", "restore the official file")
            continue
        name = entry["file_name"].replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or ":" in name.split("/")[0]:
            listing.add(where, f"'{entry['file_name']}' points outside the dataset", "write a path inside the image folder")
            continue
        name = name.removeprefix("./")
        other = spelled.setdefault(folded(PurePosixPath(name).as_posix()), name)
        if other != name and (file := there.file(name)) and file == there.file(other):
            what = f"'{entry['file_name']}' is the file of another image, '{other}', too"
            listing.add(where, what, "put the annotations of both under one image, and delete the other")
        names[name] += 1
        known = found.setdefault(entry["id"], Image(name, _size(entry)))
        if known.file != name:
            what = f"two images have the id {entry['id']}: '{known.file}' and '{name}'"
            listing.add(where, what, "give each an id of its own, in its annotations, too")
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        what = f"{several(len(twice), 'image')} listed more than once, e.g. '{twice[0]}'; each counts once"
        listing.add(where, what, "delete the other entries", fatal=False)
    return found


def _size(entry: dict[str, Any]) -> tuple[int, int] | None:
    try:
        width, height = (int(float(entry.get(key) or 0)) for key in ("width", "height"))
    except (TypeError, ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


class Categories:
    """Categories in label order: by id."""

    def __init__(self, entries: list[Any], where: str, listing: Listing[Any]):
        self._names: dict[Any, str] = {}
        for entry in entries:
            number = entry.get("id") if isinstance(entry, dict) else None
            if plain(number) is None:
                listing.add(where, f"a category lacks its id: {str(entry)[:60]}", "give each category an id and a name")
            elif number in self._names:
                listing.add(where, f"two categories have the id {number}", "give each its own, in its annotations, too")
            else:
                self._names[number] = str(entry.get("name", number)).strip()
        # whole numbers by value, whatever their type, before texts
        self._order = sorted(self._names, key=lambda number: (isinstance(plain(number), str), plain(number)))
        self._ids = Ids(self._order)

    @property
    def names(self) -> list[str]:
        """In label order."""
        return [self._names[number] for number in self._order]

    def find(self, category: Any) -> Any:
        """The id that an annotation's ``category_id`` means; ``None`` for none."""
        return self._ids.find(category)

    def name(self, number: Any) -> str:
        """The name of a category."""
        return self._names[number]

    def tell_strangers(self, strangers: Mapping[str, int], where: str, listing: Listing[Any]) -> None:
        """Refuse categories of another file that are none of these.

        Args:
            strangers: name or id -> in how many annotations.
        """
        for name, count in strangers.items():
            plainly = name.strip("'")
            near = [mine for mine in self.names if mine.casefold() == plainly.casefold()]
            near = near or difflib.get_close_matches(plainly, self.names, n=1, cutoff=0.5)
            mend = f"the training file has {', '.join(self.names[:8])}" + (
                f"; is it '{near[0]}'?" if near else "; add it to the categories"
            )
            listing.add(where, f"unknown category {name}, in {several(count, 'annotation')}", mend)

    def labels_of(self, others: Categories) -> dict[Any, int]:
        """Id in another file -> label among these, for categories of one name; of several, that of the same id."""
        found = {}
        for number, name in others._names.items():
            alike = [label for label, mine in enumerate(self.names) if mine == name]
            same = [label for label in alike if self._order[label] == self._ids.find(number)]
            if len(alike) == 1 or same:
                found[number] = (same or alike)[0]
        return found
