"""ImageNet-1k (ILSVRC 2012) as distributed: a folder per class for training, and the validation set in folders or all in one.

``train/n01440764/n01440764_10026.JPEG``; ``val/n01440764/ILSVRC2012_val_00000293.JPEG`` or ``val/ILSVRC2012_val_00000293.JPEG`` with
``ILSVRC2012_devkit_t12/data``, whose ``ILSVRC2012_validation_ground_truth.txt`` has a class number for each image and whose ``meta.mat``
says which class that is. Labels count the classes by name, as everybody does.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.benchmarks.base import Format, Split
from harness.benchmarks.classification.options import Classes, ListedClasses
from harness.benchmarks.classification.readers import image_folder
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.listed import lines_in
from harness.images import search

_MEND = "unpack ILSVRC2012_devkit_t12.tar.gz there, or sort the validation images into a folder per class"


class ImageNetData(ListedClasses):
    """ILSVRC 2012: trained on ``train``, tested on ``val``, since the labels of its test set are not public."""

    format: Literal["imagenet"]
    root: str
    classes: Classes = 1000
    """How many class folders there are, or the names of those to use, in label order."""
    train: str = "train"
    """Folder of the training images."""
    test: str = "val"
    """Folder of the validation images, which are what everybody tests on."""
    devkit: str = "ILSVRC2012_devkit_t12"
    """Folder of the development kit, read where the validation images lie in one folder."""
    per_class: int | None = Field(default=None, ge=1)
    """Train on the first so many images of each class by name, and leave out the others: 260 are the fifth of billpsomas/simpool."""

    @property
    def splits(self) -> dict[Split, str]:
        return {"train": self.train, "test": self.test}


def read(root: Path, data: ImageNetData) -> Labels:
    """List both splits."""
    if (root / data.test).is_dir() and not image_folder.folders_of(root / data.test):
        listing = _flat(root, data)
    else:
        listing = image_folder.read(root, data)
    if data.per_class is not None:
        listing.train = first(listing, data.per_class)
    return listing


def first(listing: Labels, count: int) -> list[Labelled]:
    """The first ``count`` training images of each class by name."""
    seen = Counter[int]()
    chosen = []
    for sample in sorted(listing.train, key=lambda sample: (sample.label, sample.file.name)):
        seen[sample.label] += 1
        if seen[sample.label] <= count:
            chosen.append(sample)
    for label, found in sorted(seen.items()):
        if found < count:
            what = f"{found} training images, data.per_class asks for {count}"
            listing.add(listing.classes[label], what, "fetch the missing ones")
    if more := len(listing.train) - len(chosen):
        listing.left_out[f"training images beyond {count} of a class"] += more
    return chosen


def _flat(root: Path, data: ImageNetData) -> Labels:
    """The same where the validation images lie in one folder."""
    only_train = data.model_copy(update={"test": data.train})
    listing = image_folder.read(root, only_train)
    listing.test, listing.problems = [], [problem for problem in listing.problems if "are the same folder" not in problem.what]
    known = {name: label for label, name in enumerate(listing.classes)}
    truth, meta = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
    where = f"{data.devkit}/data/{truth}"
    listing.sources += [root / data.devkit / "data" / name for name in (truth, meta)]
    missing = [name for name in (truth, meta) if not (root / data.devkit / "data" / name).is_file()]
    if missing:
        what = f"no {' and no '.join(missing)}, which tell the classes of the images in {data.test} where these lie in one folder"
        listing.add(f"{data.devkit}/data", what, _MEND)
        return listing
    numbers = lines_in(root, where, listing)
    names = _names(root, f"{data.devkit}/data/{meta}", listing)
    files = sorted(search(root / data.test).files)
    if not numbers or not names:
        return listing
    if len(files) != len(numbers):
        what = f"{len(files)} images, but {where} has {len(numbers)} lines"
        listing.add(data.test, what, "fetch both again: a line belongs to each image, in the order of their names")
        return listing
    for file, number in zip(files, numbers, strict=True):
        label = known.get(names.get(number, ""))
        if label is None:
            listing.add(where, f"the class {number} of {file.name} is none of the training images'", "fetch the development kit again")
            return listing
        listing.test.append(Labelled(file, label))
    return listing


def _names(root: Path, where: str, listing: Labels) -> dict[str, str]:
    """The development kit's number of a class -> its name."""
    from scipy.io import loadmat

    try:
        synsets: Any = loadmat(root / where, squeeze_me=True)["synsets"]
        return {str(int(row["ILSVRC2012_ID"])): str(row["WNID"]) for row in synsets}
    except Exception as error:  # whatever SciPy raises of a file that is cut off or something else
        listing.add(where, f"it cannot be read ({type(error).__name__}: {error})", _MEND)
        return {}


FORMAT = Format(ImageNetData, read)
