"""Lists of images with their classes, one file per split.

A line is an image and its class, parted by blanks, or by tabs where there are any; further columns are not read:

    images/Abyssinian_100.jpg 1
    Abyssinian_101 1 1 1
    cats/17.png cat

The image is a path from ``data.images``, with or without its suffix. The class is a number, counted from 0 or from 1 (as all
lists together show), or one of the names in ``data.classes``, which may hold blanks; the name of an image that holds some needs
tabs. Blank lines, lines that begin with ``#`` and a byte-order mark are skipped, and so is a slash before a path from there.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks.base import Format, Split, relative
from harness.benchmarks.classification.options import Classes, ListedClasses
from harness.benchmarks.classification.readers.columns import tell_layout
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.listed import parted, rows_in, tails
from harness.benchmarks.spelled import Spelled, form
from harness.images import SUFFIXES
from harness.texts import few

_ENDINGS = ("", *SUFFIXES)


class ImageListData(ListedClasses):
    """A text file per split, with an image and its class a line."""

    format: Literal["image-list"]
    root: str
    classes: Classes
    """How many classes there are, or their names in label order."""
    train: str = "train.txt"
    """The list of the training images."""
    test: str = "test.txt"
    val: str | None = None
    """The list of the validation images; without one, ``val_share`` of the training images."""
    images: str = "."
    """Folder that the paths in the lists start from."""
    column: int = Field(default=2, ge=2)
    """Which column holds the class, counted from 1."""


def read(root: Path, data: ImageListData) -> Labels:
    """The images of all lists, in their order."""
    listing = Labels(classes=data.class_names or [str(index) for index in range(data.class_count)])
    rows: dict[Split, list[list[str]]] = {}
    there = Spelled(root / data.images)
    files: dict[Split, str] = {"train": data.train, "test": data.test, **({"val": data.val} if data.val else {})}
    for split, name in files.items():
        listing.sources.append(root / name)
        rows[split] = rows_in(root, name, listing, lambda path: _file(there, path) is not None)
    if tell_layout(rows, files, lambda path: _file(there, path) is not None, data.column, listing):
        return listing
    labels = _labels([row for some in rows.values() for row in some if len(row) >= data.column], data, listing)
    _tell_one_hot([row for some in rows.values() for row in some], data, listing)
    for split, name in files.items():
        lost: list[str] = []
        found = [_sample(there, name, row, data, labels, listing, lost) for row in rows[split]]
        _tell_lost(there, name, lost, data, listing)
        samples = _once([sample for sample in found if sample], root, name, listing)
        setattr(listing, split, samples)
        shown = {sample.label for sample in samples}
        missing = [known for label, known in enumerate(listing.classes) if label not in shown]
        if samples and missing and split != "val":
            mend = "add images, or correct data.classes"
            if split == "test":
                mend = "add images if there are any; without, all that is measured is of the other classes"
            listing.add(name, f"no image of the class {few(missing)}", mend, fatal=split == "train")
        elif not samples and not any(problem.fatal for problem in listing.problems):
            listing.add(name, "lists no image", "write an image and its class a line")
    return listing


def _once(samples: list[Labelled], root: Path, name: str, listing: Labels) -> list[Labelled]:
    first: dict[Path, Labelled] = {}
    for sample in samples:
        if first.setdefault(sample.file, sample).label != sample.label:
            listing.add(name, f"the image {relative(sample.file, root)} is listed with two classes", "delete the wrong line")
    if more := len(samples) - len(first):
        listing.left_out["lines that repeat an image"] += more
    return list(first.values())


def _class(row: list[str], column: int, names: Collection[str]) -> str:
    """What stands for the class in a row: as many columns as are one of the names, which may hold blanks, or one."""
    rest = [*map(form, row[column - 1 :])]
    longer = (" ".join(rest[:count]) for count in range(len(rest), 1, -1))
    return next((text for text in longer if text in names), rest[0])


def _labels(rows: list[list[str]], data: ImageListData, listing: Labels) -> dict[str, int]:
    """What each class in the lists means."""
    places = {form(name): index for index, name in enumerate(data.class_names or ())}
    texts = [_class(row, data.column, places) for row in rows]
    if places and {*texts} <= places.keys():
        return places
    if all(map(_is_number, texts)):
        numbers = {int(text) for text in texts}
        first = 1 if numbers and min(numbers) >= 1 and max(numbers) == data.class_count else 0
        counted = range(first, data.class_count + first)
        if wrong := sorted(numbers.difference(counted)):
            known = f"{data.class_count} classes count from 0 to {data.class_count - 1} or from 1 to {data.class_count}"
            listing.add("data.classes", f"the lists name the class {wrong[0]}, but {known}", "correct data.classes or data.column")
        return {text: int(text) - first for text in texts if int(text) in counted}
    odd, row = next(((text, row) for text, row in zip(texts, rows, strict=True) if text not in places and not _is_number(text)), ("", []))
    if not odd:
        name, number = (next(text for text in texts if (text in places) == is_name) for is_name in (True, False))
        what = f"the lists name some classes ('{name:.60}') and count others ('{number}')"
        listing.add("data.classes", what, "write the names everywhere, or numbers, which count from 0 or from 1 alike in all lists")
        return places
    mend = "list the names in data.classes"
    if len(row) > data.column:
        mend = f"part the columns by tabs if the name of an image or class holds blanks, or {mend}"
    listing.add("data.classes", f"the lists name the class '{odd:.60}', which is not among them", mend)
    return places


def _tell_one_hot(rows: list[list[str]], data: ImageListData, listing: Labels) -> None:
    """Note a column for each class, of which one is 1: of two classes the first column, read as a number, means the other one."""
    flags = {tuple(row[1:]) for row in rows}
    hot = {tuple("1" if place == label else "0" for place in range(data.class_count)) for label in range(data.class_count)}
    if data.column != ImageListData.model_fields["column"].default or len(flags) < 2 or not flags <= hot:
        return
    what = f"lines have a column for each of {data.class_count} classes, it seems, with 1 for the one that is shown"
    if data.class_count == 2:
        one, other = listing.classes
        what += f"; column {data.column} is read as the number of the class, so that '1 0' is '{other}'"
        listing.add("data.column", what, f"if '1 0' is '{one}', write data.column: 3", fatal=False)
    else:
        listing.add("data.column", what, "write the number or name of the class in their place")


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 10  # Python refuses to read numbers of thousands of digits


def _sample(
    there: Spelled, name: str, row: list[str], data: ImageListData, labels: dict[str, int], listing: Labels, lost: list[str]
) -> Labelled | None:
    if len(row) < data.column:
        line = " ".join(row)
        listing.add(name, f"the line '{line:.60}' has no column {data.column}", parted(line, "write an image and its class a line"))
        return None
    if (label := labels.get(_class(row, data.column, labels))) is None:
        return None  # told for all lines at once
    file = _file(there, row[0])
    if file is None:
        lost.append(row[0])
        return None
    path = _from_here(there, row[0])
    if not there.file(path) and len(several := there.files(path, SUFFIXES)) > 1:
        names = " or ".join(f"'{other.name}'" for other in several[:3])
        listing.add(name, f"'{row[0]}' may be {names}", "write the name of the image with its suffix")
        return None
    return Labelled(file, label)


def _file(there: Spelled, path: str) -> Path | None:
    """The image of a path, with or without its suffix."""
    return there.file(_from_here(there, path), _ENDINGS)


def _from_here(there: Spelled, path: str) -> str:
    """A path of a list; a slash before it says nothing (Places365 has one) unless the image is there, from the root of the disk."""
    path = path.replace("\\", "/")
    return path.lstrip("/") if path.startswith("/") and there.file(path, _ENDINGS) is None else path


def _tell_lost(there: Spelled, name: str, lost: list[str], data: ImageListData, listing: Labels) -> None:
    """Note paths of a list where no image is; those that begin somewhere else, as on another machine, as such."""
    ends = {path: next((tail for tail in tails(path) if _file(there, tail)), None) for path in lost}
    for path in (path for path in lost if ends[path] is None):
        listing.add(name, f"the image '{path}' is not in the folder '{data.images}'", "add it, or take its line out")
    if moved := [(path, end) for path, end in ends.items() if end]:
        path, end = moved[0]
        what = f"{len(moved)} of its images are not where it says, but at an end of that path: '{path}' is '{end}' here"
        listing.add(name, what, f"write paths from data.images on, '{end}', or correct data.images")


FORMAT = Format(ImageListData, read)
