"""COCO instances as label maps: polygons and run-length encodings (cocodataset.org/#format-data).

A JSON file per split, with

    {"images": [{"id": 7, "file_name": "a/1.jpg", "width": 640, "height": 480}],
     "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[10, 10, 60, 10, 60, 40]], "area": 1500}],
     "categories": [{"id": 3, "name": "cell"}]}

Categories are matched by name. Where objects overlap, the smaller one is seen. Pixels of no object are ``data.background``, or
ignored; so are those of crowds and of objects marked ``"ignore": 1``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import SPLITS, Format
from harness.benchmarks.coco import Crowds, is_set, load, start_elsewhere
from harness.benchmarks.coco_units import Outlines
from harness.benchmarks.inside import is_inside
from harness.benchmarks.lvis import named, tell_searched
from harness.benchmarks.object_localization.readers.coco_json import Ids, plain
from harness.benchmarks.options import Options
from harness.benchmarks.segmentation.options import LabelledData
from harness.benchmarks.segmentation.readers.labels import Labels, counted
from harness.benchmarks.segmentation.readers.pairs import Pair, Pairs
from harness.benchmarks.spelled import Spelled
from harness.errors import DataError
from harness.images import measure

if TYPE_CHECKING:
    import numpy as np


class CocoFiles(Options):
    """One split."""

    annotations: str
    """The JSON file."""
    images: str
    """Folder that its file names start from."""


class CocoData(LabelledData):
    """COCO instances as label maps."""

    format: Literal["coco"]
    root: str
    classes: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1)
    """Names of the categories to use, in label order; objects of others are background."""
    background: str | None = "background"
    """Name of the class of all other pixels, label 0; without one they are ignored."""
    train: CocoFiles
    test: CocoFiles
    val: CocoFiles | None = None
    """For validation; without it, ``val_share`` of the training images."""

    @model_validator(mode="after")
    def _two_classes(self) -> CocoData:
        if len(set(self.names)) != len(self.names) or len(self.names) < 2:
            raise ValueError(f"classes and background must be two or more different names, not {', '.join(self.names)}")
        if set(self.ignore) - {self.ignore_index}:
            raise ValueError("ignore is for values of label maps, and there are none; background: null ignores pixels of no class")
        return self

    @property
    def names(self) -> list[str]:
        """All classes in label order."""
        return ([self.background] if self.background else []) + list(self.classes)

    @property
    def class_count(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Drawn(Pair):
    """An image whose label map is drawn from its objects."""

    size: tuple[int, int] = (0, 0)
    """(height, width)."""
    objects: tuple[tuple[int, Any], ...] = ()
    """(label, segmentation)."""
    ground: int = 255

    def read(self, labels: Labels) -> np.ndarray:
        import numpy as np
        from faster_coco_eval.core import mask

        try:
            width, height = measure(self.image, header_only=True)
        except ValueError as error:
            raise DataError(f"{self.image}: {error}.") from error
        if sorted(self.size) != sorted((width, height)):  # before memory is taken for what a damaged file says
            said = f"{self.size[1]} x {self.size[0]} pixels"
            raise DataError(f"{self.label} says that {self.name} has {said}; the image has {width} x {height}. Export the file again.")
        found: list[tuple[int, np.ndarray]] = []
        for label, segmentation in self.objects:
            try:
                rle = segmentation
                if isinstance(segmentation, list):
                    self._refuse_far(segmentation)
                    rle = mask.merge(mask.frPyObjects(segmentation, *self.size))
                elif tuple(segmentation.get("size", ())) != self.size:
                    raise ValueError(f"its size is {segmentation.get('size')}, the image's {list(self.size)}")
                elif isinstance(segmentation.get("counts"), list):
                    rle = mask.frPyObjects(segmentation, *self.size)
                found.append((label, mask.decode(rle).astype(bool)))
            except Exception as error:  # whatever the compiled reader meets in a malformed outline
                raise DataError(
                    f"a segmentation of {self.name} cannot be drawn ({error}). Correct or delete it in {self.label}."
                ) from error
        drawn = np.full(self.size, self.ground, np.uint8)
        for label, where in sorted(found, key=lambda item: -item[1].sum()):
            drawn[where] = label
        return drawn

    def _refuse_far(self, outlines: list[Any]) -> None:
        """Raise a ValueError for what is no outline, or has a point so far off that drawing the way to it takes all memory."""
        reach = max(self.size)
        for outline in outlines:
            if not isinstance(outline, list) or len(outline) < 6 or len(outline) % 2:
                raise ValueError("an outline has three points or more, x and y in turn")
            if far := [value for value in outline if not -reach <= value <= 2 * reach]:
                raise ValueError(f"a point of its outline is {far[0]}, far outside the image")


def read(root: Path, data: CocoData) -> Pairs:
    """The images of all files with their objects."""
    listing = Pairs(root=root, labels=counted(data.names, data.ignore_index))
    for split in SPLITS:
        if (files := getattr(data, split)) is not None:
            listing.of(split).extend(_split(root, files, data, listing))
    return listing


def _split(root: Path, files: CocoFiles, data: CocoData, listing: Pairs) -> list[Pair]:
    content = load(files.annotations, listing)
    if content is None:
        return []
    images = named(content["images"], root / files.images)
    tell_searched(images, files.annotations, listing)
    names_of_files = [image["file_name"].replace("\\", "/") for image in images if _is_known(image)]
    if start_elsewhere(names_of_files, files.images, files.annotations, listing):
        return []
    label_of = {name: index for index, name in enumerate(data.names)}
    names = {
        category["id"]: category.get("name")
        for category in content["categories"]
        if isinstance(category, dict) and plain(category.get("id")) is not None
    }
    known_names = set(map(str, names.values()))
    if missing := sorted(set(data.classes) - known_names):
        known = ", ".join(sorted(known_names)[:8])
        listing.add(files.annotations, f"there is no category '{missing[0]}'", f"its categories are {known}; correct data.classes")
    ground = 0 if data.background else data.ignore_index
    objects: dict[Any, list[tuple[int, Any]]] = defaultdict(list)
    ids = Ids([image["id"] for image in images if isinstance(image, dict) and plain(image.get("id")) is not None])
    categories, strays = Ids(names), set[str]()
    outlines, crowds = Outlines(files.annotations, listing), Crowds(files.annotations, listing)
    annotated = set[Any]()
    for index, item in enumerate(content["annotations"]):
        where = f"{files.annotations}, annotations[{index}]"
        drawn, number = (_drawn(item), ids.find(item.get("image_id"))) if isinstance(item, dict) else (None, None)
        annotated.add(number)
        if not drawn:
            listing.left_out["annotations without a segmentation"] += 1
            continue
        if (category := categories.find(item.get("category_id"))) is None:
            listing.add(where, f"category {item.get('category_id')!r} is not among the categories", "add it, or delete the annotation")
            continue
        name = names[category]
        if name not in label_of:
            listing.left_out[f"objects of '{name}', which count as background"] += 1
            continue
        outlines.add(item)
        crowds.add(item)
        unseen = is_set(item.get("iscrowd")) or is_set(item.get("ignore"))
        label = data.ignore_index if unseen else label_of[name]
        if number is None:
            strays.add(str(item.get("image_id")))
        else:
            objects[number].append((label, drawn))
    outlines.tell()
    crowds.tell()
    pairs: list[Pair] = []
    there = Spelled(root / files.images)
    seen: dict[str, set[str]] = {"id": set(), "file_name": set()}
    if strays:
        what = f"{len(strays)} image ids of annotations are not among the images, e.g. {min(strays)}"
        listing.add(files.annotations, what, "add the images, or delete the annotations")
    for index, image in enumerate(images):
        where = f"{files.annotations}, images[{index}]"
        if not _is_known(image):
            listing.add(where, "no 'id' and text 'file_name'", "export the file again")
            continue
        name = image["file_name"].replace("\\", "/")
        file = there.file(name) or root / files.images / name
        for (key, values), value in zip(seen.items(), (str(image["id"]), str(file)), strict=True):
            if value in values:
                listing.add(where, f"two images have the {key} {image[key]!r}", "give each its own; delete what stands there twice")
            values.add(value)
        if not is_inside(file, [root / files.images, root]):
            listing.add(where, f"'{image['file_name']}' lies outside the dataset's folder", "correct file_name")
            continue
        try:
            size = (int(image["height"]), int(image["width"]))
        except (KeyError, TypeError, ValueError):
            listing.add(where, "no width and height", "export the file again")
            continue
        shown = tuple(objects.get(ids.find(image["id"]), ()))
        pairs.append(Drawn(name, file, root / files.annotations, size, shown, ground))
    if not pairs and not any(problem.fatal for problem in listing.problems):
        listing.add(files.annotations, "lists no image", "export the file again")
    if bare := [image["file_name"] for image in images if _is_known(image) and ids.find(image["id"]) not in annotated]:
        means = f"all of it is {data.background}" if data.background else "nothing of it counts"
        what = f"{len(bare)} of {len(content['images'])} images have no annotation, e.g. {bare[0]}; {means}"
        listing.add(files.annotations, what, "annotate them, take them out of the file, or leave it so", fatal=False)
    return pairs


def _drawn(item: dict[str, Any]) -> Any:
    """The segmentation of an annotation; nothing where it has none, which ``[[]]`` says, too."""
    said = item.get("segmentation")
    if isinstance(said, list):
        return [part for part in said if part != []]
    return said if isinstance(said, dict) else None


def _is_known(image: Any) -> bool:
    return isinstance(image, dict) and isinstance(image.get("file_name"), str) and "id" in image


FORMAT = Format(CocoData, read)
