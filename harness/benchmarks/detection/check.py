"""What is wrong with the images of a detection dataset, and with what their boxes say about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import NAMES, SPLITS, Problem, relative
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Pictures
from harness.benchmarks.object_localization.check import boxes_outside, sizes_differ
from harness.benchmarks.object_localization.readers.picture import Picture


def problems(root: Path, data: DetectionData, listing: Pictures) -> Iterator[Problem]:
    """Sizes other than annotated, boxes beside their images, images without an object, objects twice, and classes without training
    objects, test objects or a name of their own."""
    for name in SPLITS:
        sizes, shown, empty, twice = {}, [], [], []
        for picture in listing.of(name):
            file = relative(picture.file, root)
            try:
                sizes[file] = listing.measure(picture)
            except ValueError:
                continue  # told by whoever looks at all pictures
            shown.append(Picture(file, (), picture.boxes, picture.size, picture.source))
            if not picture.objects:
                empty.append(file)
            twice += [file] * (len(picture.objects) - len({(item.label, item.box, item.optional) for item in picture.objects}))
        yield from sizes_differ(shown, sizes, data)
        yield from boxes_outside(shown, sizes)
        if empty and name == "train":
            what = f"{len(empty)} of {len(shown)} {NAMES[name]} images show no object, e.g. {empty[0]}; they are not trained on"
            yield Problem(f"{name} split", what, "annotate them, or leave it so", fatal=False)
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
