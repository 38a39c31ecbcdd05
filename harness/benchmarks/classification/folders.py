"""Image folders: the one reader behind training, floor, samples and check."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.images import SUFFIXES, measure
from harness.errors import DataError


@dataclass(frozen=True)
class Split:
    """Images of one split in a fixed order: by class, then by path."""

    classes: list[str]
    files: list[Path]
    labels: list[int]


def folders_of(folder: Path) -> list[str]:
    """Names of the visible folders inside ``folder``, sorted."""
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def images_of(folder: Path) -> list[Path]:
    """All image files under ``folder``, by path."""
    found = [
        Path(base, name)
        for base, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    return sorted(found, key=lambda file: file.relative_to(folder).as_posix())


def read_split(root: Path, split: str, train: str, names: list[str] | None) -> Split:
    """List a split.

    Args:
        split: its folder under ``root``.
        train: the folder of the training split, whose class folders count where ``names`` is ``None``.

    Raises:
        DataError: a folder is missing or a class has no image.
    """
    for folder in (train, split):
        if not (root / folder).is_dir():
            raise DataError(f"no folder '{folder}' in {root}. Put the images there, one folder per class.")
    classes = names or folders_of(root / train)
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = images_of(root / split / name)
        if not found:
            raise DataError(f"no image in {root / split / name}. Add images of the class, or take it out of data.classes.")
        files += found
        labels += [label] * len(found)
    return Split(classes, files, labels)


def check_folders(root: Path, data: ClassificationData) -> list[Problem]:
    """Everything that is missing or malformed in an image folder; does not stop at the first problem."""
    problems: list[Problem] = []
    train, test = data.splits
    there = [split for split in dict.fromkeys((train, test)) if (root / split).is_dir()]
    problems += [
        Problem(split, "the folder is missing", f"create it with one folder per class{_instead(root, split)}")
        for split in dict.fromkeys((train, test))
        if split not in there
    ]
    if train == test:
        problems.append(Problem(train, "training and test are the same folder", "give two folders as data.train and data.test"))
    names = data.class_names
    if names is None and train in there:
        names = folders_of(root / train)
        if len(names) != data.class_count:
            what = f"{len(names)} class folders, data.classes says {data.class_count}"
            problems.append(Problem(train, what, "correct data.classes, or list the folders to use there"))
    if names is not None and len(set(names)) != len(names):
        problems.append(Problem("data.classes", "a class is listed twice", "list every class once"))
    for split in there:
        problems += _check_split(root, split, names or [], listed=data.class_names is not None)
    return problems


def _instead(root: Path, split: str) -> str:
    others = folders_of(root)
    return f", or name another one as data.train or data.test (there are {', '.join(others[:6])})" if others else ""


def _check_split(root: Path, split: str, names: list[str], *, listed: bool) -> list[Problem]:
    problems: list[Problem] = []
    for name in names:
        where = f"{split}/{name}"
        if not (root / split / name).is_dir():
            problems.append(Problem(where, "the class folder is missing", "add it with images, or correct data.classes"))
            continue
        files = images_of(root / split / name)
        if not files:
            problems.append(Problem(where, "the class has no image", f"add images ({', '.join(SUFFIXES)})"))
        problems += [problem for file in files if (problem := _check_image(root, file))]
    if not listed:
        problems += [
            Problem(f"{split}/{name}", "no such class in the training images", "move or delete the folder", fatal=False)
            for name in folders_of(root / split)
            if name not in names
        ]
    loose = [entry.name for entry in (root / split).iterdir() if entry.is_file() and entry.name.lower().endswith(SUFFIXES)]
    if loose:
        what = f"{len(loose)} images lie outside any class folder, e.g. {min(loose)}; they are not used"
        problems.append(Problem(split, what, "move them into class folders", fatal=False))
    return problems


def _check_image(root: Path, file: Path) -> Problem | None:
    try:
        measure(file)
    except ValueError as reason:
        return Problem(file.relative_to(root).as_posix(), str(reason), "fetch the file again, or delete it")
    return None
