"""COCO's keypoint annotations (cocodataset.org/#format-data)."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format
from harness.benchmarks.keypoint.options import ListedPoints
from harness.benchmarks.keypoint.readers.pose import Pose, Poses
from harness.images import measure

COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip
"""Fall-off of the object keypoint similarity for COCO's 17 points (cocodataset.org/#keypoints-eval)."""

_Files = dict[int, tuple[Path, tuple[int, int]] | None]
"""Image id -> file and size; ``None`` for an image that cannot be used."""


class CocoData(ListedPoints):
    """COCO keypoint JSON."""

    format: Literal["coco"]
    train: str = "annotations/train.json"
    """Annotation file of the training images."""
    test: str = "annotations/test.json"
    train_images: str = "train"
    """Folder of the training images."""
    test_images: str = "test"
    category: int | None = None
    """Only annotations of this category id; all by default."""
    box: Literal["annotation", "image"] = "annotation"
    """What the model sees: each annotated box, or the whole image."""
    sigmas: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] | None = None
    """Fall-offs of the object keypoint similarity; COCO's own for 17 points. Without them there is no AP."""

    @model_validator(mode="after")
    def _one_sigma_per_point(self) -> CocoData:
        if self.sigmas is not None and len(self.sigmas) != self.count:
            raise ValueError(f"sigmas: {len(self.sigmas)} values for {self.count} keypoints")
        return self

    @property
    def whole_image(self) -> bool:
        return self.box == "image"

    @property
    def oks_sigmas(self) -> tuple[float, ...] | None:
        if self.sigmas is not None:
            return tuple(self.sigmas)
        return COCO_SIGMAS if self.count == len(COCO_SIGMAS) else None


def read(root: Path, data: CocoData) -> Poses:
    """List the annotation files of both splits."""
    listing = Poses(sigmas=data.oks_sigmas)
    listing.train = _split(root, data.train, data.train_images, data, listing)
    listing.test = _split(root, data.test, data.test_images, data, listing)
    return listing.finish()


def _load(file: Path, where: str, listing: Poses) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        listing.add(where, "the annotation file is missing", "put it there, or correct data.train and data.test")
        return None
    except (OSError, ValueError, RecursionError) as error:
        listing.add(where, f"not readable JSON ({error})", "fetch or export it again")
        return None
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            listing.add(where, f"no list '{key}'", "give a file in COCO's keypoint format")
            return None
    return content


def _split(root: Path, name: str, folder: str, data: CocoData, listing: Poses) -> list[Pose]:
    listing.sources.append(root / name)
    content = _load(root / name, name, listing)
    if content is None:
        return []
    _check_category(content, name, data, listing)
    files = _images(root, folder, name, content["images"], listing)
    poses, seen = [], Counter()
    for index, annotation in enumerate(content["annotations"]):
        where = f"{name}, annotations[{index}]"
        if not isinstance(annotation, dict):
            listing.add(where, "not a mapping", "export the file again")
            continue
        if "keypoints" not in annotation or annotation.get("iscrowd") or data.category not in (None, annotation.get("category_id")):
            continue
        key = annotation.get("id")
        seen[key] += 1
        if not isinstance(key, int) or seen[key] == 2:
            listing.add(where, f"id {key!r} is missing, no integer or used twice", "give every annotation an id of its own")
            continue
        # numbered anew, from 1: COCO's evaluation takes an annotation with id 0 for one that is not there
        pose = _pose(where, annotation, files, data, listing, len(poses) + 1)
        if pose:
            poses.append(pose)
    return poses


def _check_category(content: dict[str, Any], where: str, data: CocoData, listing: Poses) -> None:
    for category in content.get("categories") or []:
        if not isinstance(category, dict) or not isinstance(names := category.get("keypoints"), list):
            continue
        if data.category not in (None, category.get("id")):
            continue
        if len(set(map(str, names))) != len(names):
            listing.add(where, f"category {category.get('id')} names a keypoint twice", "rename one of them")
        elif not isinstance(data.keypoints, int) and names != data.names:
            what = f"the keypoints are {', '.join(map(str, names))}, data.keypoints says {', '.join(data.names)}"
            listing.add(where, what, "correct data.keypoints")


def _images(root: Path, folder: str, name: str, entries: list[Any], listing: Poses) -> _Files:
    images: _Files = {}
    for index, entry in enumerate(entries):
        where = f"{name}, images[{index}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int) or not isinstance(entry.get("file_name"), str):
            listing.add(where, "no integer 'id' and text 'file_name'", "export the file again")
            continue
        if entry["id"] in images:
            listing.add(where, f"id {entry['id']} is used twice", "give every image an id of its own")
            continue
        images[entry["id"]] = None
        file = root / folder / entry["file_name"]
        if not file.resolve().is_relative_to(root.resolve()):
            listing.add(where, f"'{entry['file_name']}' lies outside the dataset's folder", "correct file_name", fatal=False)
            continue
        try:
            size = measure(file, header_only=True)
        except ValueError as reason:
            there = f"{folder}/{entry['file_name']}"
            listing.add(there, str(reason), "fetch it again; until then it is not used", fatal=False)
            continue
        said = (entry.get("width", size[0]), entry.get("height", size[1]))
        if said != size:
            what = f"{said[0]}x{said[1]} pixels, but the file has {size[0]}x{size[1]}; it is not used"
            listing.add(where, what, "annotate the image as it is", fatal=False)
            continue
        images[entry["id"]] = (file, size)
    return images


def _pose(where: str, annotation: dict[str, Any], files: _Files, data: CocoData, listing: Poses, number: int) -> Pose | None:
    import numpy as np

    def note(what: str, mend: str, *, fatal: bool = True) -> None:
        listing.add(where, what, mend, fatal=fatal)

    image_id = annotation.get("image_id")
    if image_id not in files:
        return note(f"image_id {image_id!r} is not among the images", "add the image, or delete the annotation")
    if files[image_id] is None:
        return None
    file, size = files[image_id]
    values = annotation["keypoints"]
    if not isinstance(values, list) or len(values) != 3 * data.count:
        found = len(values) if isinstance(values, list) else "no"
        what = f"{found} keypoint values, {3 * data.count} expected (x, y, flag of {data.count} points)"
        return note(what, "correct it, or data.keypoints")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return note("a keypoint value is no number", "correct it; unlabelled points are 0, 0, 0")
    raw = np.array(values, dtype=float).reshape(-1, 3)
    if not np.isin(raw[:, 2], (0, 1, 2)).all():
        return note("a visibility flag is not 0, 1 or 2", "correct it")
    at, visible = listing.clean(where, raw, size, data.names)
    if not visible.any():
        return None
    width, height = size
    box, area = (0.0, 0.0, float(width), float(height)), float(width * height)
    if not data.whole_image:
        found = _box(annotation.get("bbox"), size)
        if found is None:
            what = f"bbox {annotation.get('bbox')!r:.60} is no box (x, y, width, height) inside the image"
            return note(what, "correct it; until then it is not used", fatal=False)
        box = found
    if isinstance(annotation.get("area"), int | float) and annotation["area"] > 0:
        area = float(annotation["area"])
    elif not data.whole_image:
        area = max(1.0, (box[2] - box[0]) * (box[3] - box[1]) * 0.53)  # mmpose's estimate for boxes without a mask
    return Pose(file, size, box, at, visible, area, image_id, number)


def _box(raw: Any, size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """Corners of an (x, y, width, height) box, cut to the image as mmpose does it."""
    if not isinstance(raw, list) or len(raw) != 4 or not all(isinstance(v, int | float) and math.isfinite(v) for v in raw):
        return None
    x, y, width, height = raw
    x0, x1 = (min(max(float(v), 0.0), size[0] - 1.0) for v in (x, x + width))
    y0, y1 = (min(max(float(v), 0.0), size[1] - 1.0) for v in (y, y + height))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


FORMAT = Format(CocoData, read)
