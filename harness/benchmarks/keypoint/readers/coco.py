"""COCO's keypoint annotations (cocodataset.org/#format-data): one JSON file per split.

```json
{"images": [{"id": 1, "file_name": "0.jpg"}], "categories": [{"id": 1, "name": "mouse", "keypoints": ["snout", "tail"]}],
 "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 8, 40, 30], "keypoints": [12, 10, 2, 44, 35, 1]}]}
```

A key point is x, y in pixels from the upper left corner, and 2 (visible), 1 (covered) or 0 (not labelled); a box is x, y, width, height.
A point at (0, 0) or (-1, -1) is not labelled, whatever its flag, unless it is the only one or its box begins there.
Points are matched by the names of their category, in any order. Ids may be numbers or text; crowds are left out,
and annotations with ``"ignore": 1``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from harness.benchmarks.base import Format
from harness.benchmarks.coco import is_set, load, number
from harness.benchmarks.coco_units import four
from harness.benchmarks.keypoint.options import LabelledPoints
from harness.benchmarks.keypoint.readers.coco_boxes import Boxes
from harness.benchmarks.keypoint.readers.coco_images import Image, Images
from harness.benchmarks.keypoint.readers.coco_names import Wanted, orders
from harness.benchmarks.keypoint.readers.coco_parts import Key, key, triples
from harness.benchmarks.keypoint.readers.pose import Cleaner, Pose, Poses, box_around, whole
from harness.benchmarks.keypoint.readers.tally import ALWAYS, NEVER, Tally
from harness.benchmarks.keypoint.readers.unset import KIND, UNSET, at_corner, unset
from harness.benchmarks.lvis import named

_SHARE, _FAR = 100, 100
"""An area is a share or percentage of the image or box if it is at most the former and this often in the extent of the box."""


class CocoData(LabelledPoints):
    """COCO keypoint JSON."""

    format: Literal["coco"]
    train: str = "annotations/train.json"
    """Annotation file of the training images."""
    test: str = "annotations/test.json"
    val: str | None = None
    """Annotation file of the validation images; without one, ``val_share`` of the training images."""
    train_images: str = "train"
    """Folder of the training images."""
    test_images: str = "test"
    val_images: str = "val"
    category: int | str | None = None
    """Only annotations of this category, by name, or by its id in the training file; all by default."""
    box: Literal["annotation", "points", "image"] = "annotation"
    """What the model sees: each annotated box, a box around the labelled points (a tenth of their extent beyond them), or the whole
    image, where each shows one instance."""

    @property
    def whole_image(self) -> bool:
        return self.box == "image"


def read(root: Path, data: CocoData) -> Poses:
    """List the annotation files of all splits."""
    listing = Poses(root=root, names=data.names if data.is_named else [])
    wanted = Wanted(data.category, listing)
    for split, name, folder in (
        (listing.train, data.train, data.train_images),
        (listing.test, data.test, data.test_images),
        (listing.val, data.val, data.val_images),
    ):
        content = load(name, listing, ("images", "annotations")) if name else None
        if name and content is not None:
            split += _Split(content, name, root / folder, data, wanted, listing).poses()
    listing.names = listing.names or data.names
    listing.sigmas = data.oks_sigmas(listing.names) if data.has_ap else None
    mend = "write data.box: annotation, choose one data.category, or keep one instance per image"
    return listing.finish(data, mend, val=data.val is not None)


class _Split:
    """One annotation file on its way to poses."""

    def __init__(self, content: dict[str, Any], where: str, folder: Path, data: CocoData, wanted: Wanted, listing: Poses):
        self.content, self.data = content, data
        self.images = Images(named(content["images"], folder), folder, where, data.exif == "apply", listing)
        self.tally, self.boxes = Tally(listing, where), Boxes(listing, where)
        chosen = self._chosen(wanted.id_in(content, where))
        categories = {key(annotation.get("category_id")) for _, annotation in chosen}
        self.orders = orders(content, categories, where, data, listing)
        self.annotations = chosen
        self.cleaner = Cleaner(listing, where, listing.names or data.names)

    def _chosen(self, category: Key | None) -> list[tuple[str, dict[str, Any]]]:
        """The annotations to read, each with its place in the file."""
        chosen, seen = [], set()
        for index, annotation in enumerate(self.content["annotations"]):
            place = f"annotations[{index}]"
            if not isinstance(annotation, dict):
                self.tally.leave_out("annotations that are not a mapping", place, "export the file again", ALWAYS)
            elif annotation.get("keypoints") is None:
                self.tally.pass_over("annotations without 'keypoints'")
            elif is_set(annotation.get("iscrowd")):
                self.tally.pass_over("annotations of crowds")
            elif is_set(annotation.get("ignore")):
                self.tally.pass_over("annotations marked 'ignore'")
            elif category is not None and key(annotation.get("category_id")) != category:
                self.tally.pass_over("annotations of other categories")
            elif (own := key(annotation.get("id"))) in seen:
                example = f"{annotation['id']!r} at {place}"
                self.tally.leave_out("annotation ids that are used twice", example, "give every annotation an id of its own", ALWAYS)
            else:
                seen |= {own} - {None}
                chosen.append((place, annotation))
        return chosen

    def poses(self) -> list[Pose]:
        """All poses of the file in its order."""
        poses: list[Pose] = []
        seen: set[tuple[Any, ...]] = set()
        read = [(place, annotation, *found) for place, annotation in self.annotations if (found := self._read(place, annotation))]
        self._clear([(place, annotation, raw) for place, annotation, _, raw in read])
        for place, annotation, image, raw in read:
            pose = self._pose(place, annotation, image, raw, len(poses) + 1)
            if pose is None:
                continue
            same = (pose.file, pose.box, pose.points.tobytes(), pose.visible.tobytes())
            if same in seen:
                self.tally.leave_out("annotations that repeat another one of their image", place, "delete them", NEVER)
                continue
            seen.add(same)
            poses.append(pose)
        self.images.tell()
        self.tally.tell(len(self.content["annotations"]))
        self.cleaner.tell()
        self.boxes.tell()
        return poses

    def _read(self, place: str, annotation: dict[str, Any]) -> tuple[Image, Any] | None:
        """The image of an annotation, and (K, 3) x, y and flag."""
        try:
            image = self.images.find(annotation.get("image_id"))
        except ValueError as reason:
            mend = "add the image, or delete the annotation"
            self.tally.leave_out("annotations of unknown images", f"{place}: {reason}", mend, ALWAYS)
            return None
        if image is None:
            self.tally.pass_over("annotations of images that are left out")
            return None
        raw = self._values(place, annotation)
        return None if raw is None else (image, raw)

    def _clear(self, read: list[tuple[str, dict[str, Any], Any]]) -> None:
        """Flag as not labelled what lies in the corner for want of a label."""
        if not read:
            return
        places, annotations, values = zip(*read, strict=True)
        points = Tally(self.tally.listing, self.tally.where)
        names = self.cleaner.names
        for place, raw, mask in zip(places, values, unset(values, [four(one.get("bbox")) for one in annotations]), strict=True):
            for index in (at_corner(raw[:, :2]) & (raw[:, 2] > 0)).nonzero()[0]:
                example = f"'{names[index]}' in {place}"
                if mask[index]:
                    points.leave_out(UNSET, example, "flag them 0", NEVER)
                else:
                    points.note(f"{KIND}, flagged as labelled", example, "flag them 0 if they are not labelled")
            raw[mask, 2] = 0
        points.tell(sum(len(raw) for raw in values))

    def _pose(self, place: str, annotation: dict[str, Any], image: Image, raw: Any, count: int) -> Pose | None:
        cleaned = self.cleaner.clean(place, raw, image.file, image.size)
        if cleaned is None:
            if not (raw[:, 2] > 0).any():
                kind = "annotations with no labelled point"
                self.tally.leave_out(kind, place, "label them, or leave it so", NEVER)
            return None
        points, visible = cleaned
        box = self._box(place, annotation, image, points, visible)
        return box and Pose(image.file, image.size, box, points, visible, self._area(place, annotation, box), image.number, count)

    def _values(self, place: str, annotation: dict[str, Any]) -> Any:
        """(K, 3) x, y and flag in the order of the listing's names."""
        import numpy as np

        try:
            raw = np.array(triples(annotation["keypoints"], self.data.count), dtype=float)
        except ValueError as reason:
            mend = "correct them, or data.keypoints; a point that is not labelled is 0, 0, 0"
            return self.tally.leave_out("annotations with malformed keypoints", f"{place}: {reason}", mend, ALWAYS)
        if ((raw[:, 2] == 0) & (np.nan_to_num(raw[:, :2]) != 0).any(axis=1)).any():
            mend = "flag a point that is labelled 1 (covered) or 2 (visible)"
            self.tally.note("annotations with coordinates of points that are flagged 0, not labelled", place, mend)
        order = self.orders.get(key(annotation.get("category_id")))
        if order is None and self.orders:
            known = {tuple(order) for order in self.orders.values()}
            if len(known) > 1:
                kind, mend = "annotations whose category names no keypoints", "correct category_id, or choose data.category"
                return self.tally.leave_out(kind, place, mend, ALWAYS)
            order = [*known.pop()]
        return raw if order is None else raw[order]

    def _box(self, place: str, annotation: dict[str, Any], image: Image, points: Any, visible: Any) -> Any:
        if self.data.box == "image":
            return whole(image.size)
        if self.data.box == "annotation":
            return self.boxes.read(place, annotation.get("bbox"), image.size, points, visible)
        box = box_around(points, visible, image.size)
        if box is None:
            self.tally.leave_out("instances whose points span no box", place, "label two points of them, or more")
        return box

    def _area(self, place: str, annotation: dict[str, Any], box: Any) -> float:
        area, said = number(annotation.get("area")), four(annotation.get("bbox"))
        extent = (box[2] - box[0]) * (box[3] - box[1])
        if area is not None and area > 0:
            known = said[2] * said[3] if said else 0 if self.data.whole_image else extent
            if area > _SHARE or area * _FAR > known:
                return area
            kind, mend = "areas far smaller than their boxes; estimates from the boxes are used", "write areas in square pixels, or none"
            self.tally.note(kind, f"{place}: {area:g}", mend)
        return float(extent) if self.data.whole_image else max(1.0, extent * 0.53)  # mmpose's estimate for boxes without a mask


FORMAT = Format(CocoData, read)
