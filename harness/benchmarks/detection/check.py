"""What is wrong with the images of a detection dataset, and with what their boxes say about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import NAMES, SPLITS, Problem, Split, relative
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Pictures
from harness.benchmarks.object_localization.check import boxes_outside, sizes_differ
from harness.benchmarks.object_localization.readers.picture import Picture as Shown
from harness.benchmarks.options import HostOptions

_MANY, _FEWEST = 0.1, 10
"""Share of a split's images, and how many of them, from which on those without an object look forgotten: of COCO's val2017 it is 1 %."""


def problems(root: Path, data: DetectionData, listing: Pictures) -> Iterator[Problem]:
    """Sizes other than annotated, boxes beside their images, images without an object, objects twice, and classes without training
    objects, test objects or a name of their own."""
    broken = any(problem.fatal for problem in listing.problems)  # which may be why an image has no object
    for name in SPLITS:
        sizes, shown, empty, twice = {}, [], [], []
        for picture in listing.of(name):
            file = relative(picture.file, root)
            try:
                sizes[file] = listing.measure(picture)
            except ValueError:
                continue  # told by whoever looks at all pictures
            shown.append(Shown(file, (), picture.boxes, picture.size, picture.source))
            if not picture.objects:
                empty.append(file)
            twice += [file] * (len(picture.objects) - len({(item.label, item.box, item.optional) for item in picture.objects}))
        yield from sizes_differ(shown, sizes, data)
        yield from boxes_outside(shown, sizes)
        if empty and name == "train":
            what = f"{len(empty)} of {len(shown)} {NAMES[name]} images show no object, e.g. {empty[0]}; they are not trained on"
            yield Problem(f"{name} split", what, "annotate them, or leave it so", fatal=False)
        elif not broken and _look_forgotten(name, listing):
            what = _shows_nothing(root, name, listing)
            mend = "annotate them, or take them out of the file; if they do show none, leave it so"
            yield Problem(f"{name} split", what, mend, fatal=False)
        if twice:
            what = f"{len(twice)} objects of the {NAMES[name]} images are annotated twice, e.g. in {twice[0]}; each counts"
            yield Problem(f"{name} split", what, "delete the copies", fatal=False)
    of_class = {name: {item.label for picture in listing.of(name) for item in picture.objects if not item.optional} for name in SPLITS}
    for label, known in enumerate(listing.classes):
        if known in listing.classes[:label] and listing.classes.index(known) in of_class["test"] and label in of_class["test"]:
            what = f"two classes are called '{known}'; their AP is reported under one name, of the latter"
            yield Problem("the classes", what, "call one otherwise", fatal=False)
        if listing.train and label not in of_class["train"]:
            tested = label in of_class["test"]
            what = f"no training object of the class '{known}'" + (", which is tested" if tested else "")
            yield Problem("train split", what, "add some, or take it out of data.classes", fatal=False)
        if of_class["test"] and label not in of_class["test"]:
            yield Problem(
                "test split", f"no test object of the class '{known}'; it cannot be scored", "add some, or leave it so", fatal=False
            )


def remarks(root: Path, _data: DetectionData, _model: HostOptions, listing: Pictures) -> Iterator[str]:
    """How many images without an object are scored, where that is no warning."""
    broken = any(problem.fatal for problem in listing.problems)  # which may be why there is none
    splits: tuple[Split, ...] = () if broken else ("val", "test")
    for name in splits:
        if any(not picture.objects for picture in listing.of(name)) and not _look_forgotten(name, listing):
            yield _shows_nothing(root, name, listing)


def _look_forgotten(name: Split, listing: Pictures) -> bool:
    """Whether many images have no object in a file of all; where each has a file of its own, one without an object says so."""
    pictures = listing.of(name)
    empty = sum(not picture.objects for picture in pictures)
    return empty >= max(_FEWEST, _MANY * len(pictures)) and len({picture.source for picture in pictures}) < len(pictures)


def _shows_nothing(root: Path, name: Split, listing: Pictures) -> str:
    pictures = listing.of(name)
    empty = [picture for picture in pictures if not picture.objects]
    what = f"{len(empty)} of {len(pictures)} {NAMES[name]} images show no object, e.g. {relative(empty[0].file, root)}"
    return f"{what}; boxes found there count as mistakes"
