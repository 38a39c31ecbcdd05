"""Image folders: training images in a folder per class, the database and its queries in a folder for each thing that they show.

``train/CLASS/*``, ``test/THING/*`` and, where queries are images of their own, ``queries/THING/*``; otherwise each image of the database is
a query whose right answers are the others of its folder. Things need not be among the training images' classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.benchmarks.base import Format, Split
from harness.benchmarks.classification.options import Classes, ListedClasses
from harness.benchmarks.classification.readers import image_folder
from harness.benchmarks.classification.readers.image_folder import folders_of
from harness.benchmarks.classification.readers.labelled import Labelled
from harness.benchmarks.image_retrieval.options import RetrievalData
from harness.benchmarks.image_retrieval.readers.searched import Query, Searched, alike
from harness.benchmarks.image_retrieval.scores import Relevance
from harness.benchmarks.spelled import form
from harness.images import SUFFIXES, is_hidden, search


class ImageFolderData(RetrievalData, ListedClasses):
    """Training images in a folder per class, database and queries in a folder for each thing that they show."""

    format: Literal["image-folder"]
    root: str
    classes: Classes
    """How many class folders of training images there are, or the names of those to use, in label order."""
    train: str = "train"
    """Folder of the training images."""
    val: str | None = None
    """Folder of the validation images; without one, ``val_share`` of the training images."""
    test: str = "test"
    """Folder of the database."""
    queries: str | None = None
    """Folder of the queries; without one, each image of the database is a query for the others."""

    @property
    def splits(self) -> dict[Split, str]:
        return {"train": self.train, **({"val": self.val} if self.val else {})}

    @property
    def graded(self) -> bool:
        return False


def read(root: Path, data: ImageFolderData) -> Searched:
    """List training images, queries and database."""
    listing = Searched.trained_on(image_folder.read(root, data))
    listing.root = root
    for key, folder in (("test", data.test), ("queries", data.queries)):
        if folder is not None and folder in (data.train, data.val):
            listing.add(folder, f"training or validation images and data.{key} are the same folder", "give different folders")
    folders = [data.test, *([data.queries] if data.queries else [])]
    if missing := [folder for folder in folders if not (root / folder).is_dir()]:
        listing.add(missing[0], "the folder is missing", "create it with a folder for each thing that is looked for")
        return listing
    shown = dict.fromkeys(form(name) for folder in folders for name in folders_of(root / folder))
    things = {name: label for label, name in enumerate(shown)}
    database = _shown(root, data.test, things, listing, apart=data.queries is not None)
    if data.queries is None:
        relevant = alike([image.label for image in database])
        names = {label: name for name, label in things.items()}
        if lone := [names[image.label] for image, some in zip(database, relevant, strict=True) if not some.easy]:
            what = f"{len(lone)} of {len(database)} images are the only one of their folder, e.g. that of {lone[0]}"
            mend = "add images of them, or delete the folders"
            listing.add(data.test, f"{what}; as queries they do not count, and nothing finds them", mend, fatal=False)
        asked = [Query(image.file, image.label, some) for image, some in zip(database, relevant, strict=True)]
        listing.search(asked)
    else:
        places: dict[int, list[int]] = {}
        for place, image in enumerate(database):
            places.setdefault(image.label, []).append(place)
        asked = [
            Query(image.file, image.label, Relevance(easy=tuple(places.get(image.label, ()))))
            for image in _shown(root, data.queries, things, listing)
        ]
        lost = [name for name, label in things.items() if label not in places]
        if lost:
            what = f"{len(lost)} things that queries show are in no folder of {data.test}, e.g. {lost[0]}; these queries do not count"
            listing.add(data.queries, what, "add images of them, or delete the queries", fatal=False)
        listing.search(asked, database)
    return listing


def _shown(root: Path, folder: str, things: dict[str, int], listing: Searched, *, apart: bool = False) -> list[Labelled]:
    """The images in ``folder`` by what they show; what is not read is noted in ``listing``.

    Args:
        apart: whether it is a database whose images are no queries.
    """
    samples: list[Labelled] = []
    loose = [entry.name for entry in (root / folder).iterdir() if entry.is_file() and entry.name.lower().endswith(SUFFIXES)]
    if loose := [name for name in loose if not is_hidden(name)]:
        what = f"{len(loose)} images lie in no folder of a thing, e.g. {min(loose)}; they are not used"
        mend = "move each into the folder of what it shows"
        if apart:
            mend += f"; images that no query shows, which only distract, may lie in a folder of their own in {folder}"
        listing.add(folder, what, mend, fatal=False)
    for name in folders_of(root / folder):
        found = search(root / folder / name)
        listing.left_out += found.passed_over
        if not found.files:
            listing.add(f"{folder}/{name}", "the folder has no image", f"add images ({', '.join(SUFFIXES)}), or delete it", fatal=False)
        samples += [Labelled(file, things[form(name)]) for file in found.files]
    return samples


FORMAT = Format(ImageFolderData, read)
