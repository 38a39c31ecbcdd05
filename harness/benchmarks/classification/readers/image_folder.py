"""Image folders: a folder per split, in it a folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.benchmarks.base import NAMES, SPLITS, Format, Split
from harness.benchmarks.classification.options import Classes, ClassificationData, ListedClasses
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.spelled import Spelled, form
from harness.images import SUFFIXES, is_hidden, search
from harness.texts import few


class ImageFolderData(ListedClasses):
    """A folder per split, in it a folder per class."""

    format: Literal["image-folder"]
    root: str
    classes: Classes
    """How many class folders there are, or the names of those to use, in label order."""
    train: str = "train"
    """Folder of the training images."""
    test: str = "test"
    """Folder of the test images, ``val`` for many datasets."""
    val: str | None = None
    """Folder of the validation images; without one, ``val_share`` of the training images."""

    @property
    def splits(self) -> dict[Split, str]:
        return {"train": self.train, "test": self.test, **({"val": self.val} if self.val else {})}


def folders_of(folder: Path) -> list[str]:
    """Names of the folders inside ``folder`` that are nobody's own, sorted."""
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not is_hidden(entry.name))


def read(root: Path, data: ClassificationData) -> Labels:
    """List all splits; does not stop at the first problem."""
    listing = Labels()
    train = data.splits["train"]
    used = {folder: [split for split in SPLITS if data.splits.get(split) == folder] for folder in data.splits.values()}
    there = [folder for folder in used if (root / folder).is_dir()]
    for folder, splits in used.items():
        if folder not in there:
            listing.add(folder, "the folder is missing", f"create it with one folder per class{_instead(root, folder)}")
        if len(splits) > 1:
            what = " and ".join(NAMES[split] for split in splits)
            mend = " and ".join(f"data.{split}" for split in splits)
            listing.add(folder, f"{what} are the same folder", f"give different folders as {mend}")
    names = data.class_names
    if names is None and train in there:
        names = folders_of(root / train)
        if len(names) != data.class_count:
            what = f"{len(names)} class folders, data.classes says {data.class_count}"
            listing.add(train, what, "add the missing folders, or write into data.classes how many there are, or the names of those to use")
    if names is not None and len(set(names)) != len(names):
        listing.add("data.classes", "a class is listed twice", "list every class once")
    listing.classes = names or []
    for split, folder in data.splits.items():
        if folder in there:
            setattr(listing, split, _split(root, folder, split, listing, listed=data.class_names is not None))
    for split in ("test", "val"):
        if data.splits.get(split) in there and train in there:
            _tell_unseen(root, split, data.splits[split], train, listing)
    return listing


def _instead(root: Path, split: str) -> str:
    others = folders_of(root)
    return f", or name another one in data (there are {', '.join(others[:6])})" if others else ""


def _split(root: Path, place: str, split: Split, listing: Labels, *, listed: bool) -> list[Labelled]:
    """The images of one split's folder, by class; what is wrong with it is noted in ``listing``.

    Args:
        place: the folder.
        listed: whether the entry names the classes, so that other folders are left alone.
    """
    samples: list[Labelled] = []
    there = Spelled(root / place)
    for label, name in enumerate(listing.classes):
        where = f"{place}/{name}"
        if (folder := there.folder(name)) is None:
            if split == "train":
                listing.add(where, "the class folder is missing", "add it with images, or correct data.classes")
            continue
        found = search(folder)
        files = found.files
        listing.left_out += found.passed_over
        if not files and split == "train":
            listing.add(where, "the class has no image", f"add images ({', '.join(SUFFIXES)})")
        samples += [Labelled(file, label) for file in files]
    if not listed:
        known = {*map(form, listing.classes)}
        for name in folders_of(root / place):
            if form(name) not in known:
                listing.add(f"{place}/{name}", "no such class in the training images", "move or delete the folder", fatal=False)
    loose = [entry.name for entry in (root / place).iterdir() if entry.is_file() and entry.name.lower().endswith(SUFFIXES)]
    if loose:
        what = f"{len(loose)} images lie outside any class folder, e.g. {min(loose)}; they are not used"
        listing.add(place, what, "move them into class folders", fatal=False)
    return samples


def _tell_unseen(root: Path, split: Split, place: str, train: str, listing: Labels) -> None:
    """Classes without a test image, or one for validation; fatal where a folder that training lacks may be theirs, by another name.

    A validation split is often too small for all classes, so that there only the latter is told.
    """
    shown = {sample.label for sample in listing.of(split)}
    learnt = {*map(form, folders_of(root / train))} | {*map(form, listing.classes)}
    strange = [name for name in folders_of(root / place) if form(name) not in learnt]
    for label, name in enumerate(listing.classes):
        if label in shown or (split == "val" and not strange):
            continue
        mend = f"add images ({', '.join(SUFFIXES)}) if there are any; without, all that is measured is of the other classes"
        if strange:
            mend = f"rename the folder that shows it ({few(strange)}?); or take that away, and metrics are of the other classes"
        listing.add(f"{place}/{name}", f"no {NAMES[split]} image shows the class", mend, fatal=bool(strange))


FORMAT = Format(ImageFolderData, read)
