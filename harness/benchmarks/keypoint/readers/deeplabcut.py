"""Label files of DeepLabCut and Lightning Pose: CSV with the header rows scorer, bodyparts and coords, one row per image; or SLEAP.

```csv
scorer,me,me,me,me
bodyparts,snout,snout,tail,tail
coords,x,y,x,y
labeled-data/video1/img001.png,12.5,10,44,35
```

x and y are pixels from the upper left corner; an empty cell, or (0, 0), is a point that is not labelled. Body parts are matched by name,
in any order. The path may fill one column or three and be that of another machine; between the cells may stand commas, semicolons
(with decimal commas, too) or tabs. A row ``individuals`` between scorer and bodyparts gives each animal its own pose.

SLEAP's analysis table, named in ``data.csv``, has a row per instance and frame (``track,frame_idx,instance.score,snout.x,snout.y,
snout.score,...``). The image of a frame lies beside the table or below, and its name ends with the frame's number, from 0.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format, relative
from harness.benchmarks.keypoint.options import LabelledPoints
from harness.benchmarks.keypoint.readers.coco_names import order_of
from harness.benchmarks.keypoint.readers.label_files import natural, tables
from harness.benchmarks.keypoint.readers.label_table import Row, Table
from harness.benchmarks.keypoint.readers.pose import Cleaner, Pose, Poses, box_around, whole
from harness.benchmarks.keypoint.readers.tally import ALWAYS, NEVER, Tally
from harness.benchmarks.keypoint.readers.trail import find, outside, parts_of
from harness.benchmarks.keypoint.readers.unset import UNSET, at_corner
from harness.benchmarks.options import later
from harness.images import measure, search

if TYPE_CHECKING:
    import numpy as np

_Found = dict[Path, dict[str, tuple[Pose, str]]]
"""Image -> individual -> its pose and who labelled it."""

_APART = "keep the images of each video in a folder of their own, beside its table"


class DeepLabCutData(LabelledPoints):
    """Labels of a DeepLabCut or Lightning Pose project: CSV with the header rows scorer, bodyparts and coords."""

    format: Literal["deeplabcut"]
    csv: list[str] | str | None = None
    """The label files; every ``CollectedData*.csv`` under the root by default, but ``CollectedData_new.csv`` beside ``CollectedData.csv``,
    on which Lightning Pose tests."""
    test_csv: list[str] | str | None = later(None)
    """The label files of the images for testing, e.g. Lightning Pose's ``CollectedData_new.csv``; all others are for training then, and
    ``split`` counts for nothing."""
    scorer: str | None = None
    """Whose labels count where several people labelled the same images."""
    likelihood: float | None = Field(default=None, ge=0, le=1)
    """Files with likelihoods hold what a network found: points at least so likely count as labels, e.g. ``0.6``. Refused without it."""
    box: Literal["image", "points"] = "image"
    """What the model sees: the whole image, where each shows one animal, or a box around each animal's labelled points (a tenth of
    their extent beyond them)."""
    split: float = Field(default=0.8, gt=0, lt=1)
    """The first so many of the labelled images, by path with numbers in order (img2 before img10), are for training: neighbouring
    frames of a video look alike, so a random split would test on what was trained."""

    @model_validator(mode="after")
    def _tested_or_trained_on(self) -> DeepLabCutData:
        named, tested = ({*([some] if isinstance(some, str) else some or [])} for some in (self.csv, self.test_csv))
        if both := sorted(named & tested):
            raise ValueError(f"csv and test_csv both name {both[0]}: name it in one of them")
        return self

    @property
    def whole_image(self) -> bool:
        return self.box == "image"


def read(root: Path, data: DeepLabCutData) -> Poses:
    """List all label files under ``root`` and split the images by their order, or by the files that they are labelled in."""
    listing = Poses(root=root, names=data.names if data.is_named else [], videos=True)
    found: _Found = {}
    tested: _Found = {}
    images: set[Path] = set()
    for some, into in zip(tables(root, data, listing), (found, tested), strict=True):
        for file, table in some:
            images |= _Labels(file, table, data, listing).into(into)
    listing.names = listing.names or data.names
    listing.sigmas = data.oks_sigmas(listing.names) if data.has_ap else None
    order, last = (sorted(some, key=lambda file: natural(file.relative_to(root))) for some in (found, tested))
    if both := [file for file in last if file in found]:
        what = f"{len(both)} of the {len(last)} images for testing are labelled in another file, too, e.g. {relative(both[0], root)}"
        listing.add("data.test_csv", what, "take them out of one of the two")
    if data.test_csv is None:
        cut = int(len(order) * data.split)
        order, last = order[:cut], order[cut:]
    listing.train, listing.test = (_numbered([(found | tested)[file] for file in part]) for part in (order, last))
    _unlabelled(images, listing)
    return listing.finish(data, "write data.box: points, which cuts out each animal")


def _numbered(images: list[dict[str, tuple[Pose, str]]]) -> list[Pose]:
    poses = [replace(pose, image_id=number) for number, image in enumerate(images, 1) for pose, _ in image.values()]
    return [replace(pose, annotation_id=number) for number, pose in enumerate(poses, 1)]


def _unlabelled(images: set[Path], listing: Poses) -> None:
    """Count the pictures beside the labelled ones."""
    folders = {file.parent for file in images}
    beside = {file for folder in folders for file in search(folder).files if file.parent in folders}
    listing.left_out["images without a row"] += len(beside - images)


class _Labels:
    """One label file on its way to poses."""

    def __init__(self, file: Path, table: Table, data: DeepLabCutData, listing: Poses):
        self.file, self.table, self.data, self.listing = file, table, data, listing
        self.where = relative(file, listing.root)
        self.tally, self.unset, self.cells = Tally(listing, self.where), Tally(listing, self.where), 0
        folders = [folder for folder in file.parents if folder.is_relative_to(listing.root)]
        self.bases = [listing.root, *folders]
        self.orders = self._orders()
        self.cleaner = Cleaner(listing, self.where, listing.names or data.names)

    def _orders(self) -> dict[str, list[str]]:
        """Individual -> its body parts in the order of the listing's names; those of other parts are left out."""
        if self.table.has_likelihood and self.data.likelihood is None:
            what = "the columns of likelihoods show that a network found these points"
            mend = "write data.likelihood: 0.6 to take the points at least so likely as labels, or delete those columns"
            self.listing.add(self.where, what, mend)
            return {}
        parts = self.table.parts
        if not self.listing.names:
            self.listing.names = next((names for names in parts.values() if len(names) == self.data.count), [])
        fitting = {who: names for who, names in parts.items() if sorted(names) == sorted(self.listing.names)}
        if not fitting:
            order_of(next(iter(parts.values()), []), self.where, "the bodyparts are", self.data, self.listing)
        for who in parts.keys() - fitting.keys() if fitting else ():
            example = f"'{who}' with {', '.join(parts[who])}"
            self.tally.leave_out("individuals with other body parts", example, "leave it so, or choose data.keypoints", NEVER)
        return dict.fromkeys(fitting, self.listing.names)

    def into(self, found: _Found) -> set[Path]:
        """Add the file's poses to ``found``; the images of its rows, with and without a label."""
        images = set()
        if self.table.by_frame:
            self._tell_counted_from_1()
            self._tell_several_videos()
        for line, what, mend in self.table.wrong:
            self.listing.add(f"{self.where}, line {line}", what, mend)
        for row in self.table.rows if self.orders else ():
            image = self._image(row)
            if image is None:
                continue
            file, size = image
            images.add(file)
            poses = {who: pose for who in self.orders if (pose := self._pose(row, who, file, size))}
            if not poses:
                example = f"'{row.path}' in line {row.line}"
                self.tally.leave_out("images with no usable point", example, "label them, or leave it so", NEVER)
            for who, pose in poses.items():
                self._add(found.setdefault(file, {}), who, pose, row)
        self.tally.tell(len(self.table.rows))
        self.unset.tell(self.cells)
        self.cleaner.tell()
        return images

    @cached_property
    def _frames(self) -> dict[int, list[Path]]:
        """Number of a frame -> the images in the table's folder whose name ends with it."""
        numbered = defaultdict(list)
        for image in search(self.file.parent).files:
            if number := re.search(r"(\d+)$", image.stem):
                numbered[int(number[1])].append(image)
        return numbered

    def _tell_counted_from_1(self) -> None:
        """Images that ffmpeg wrote are counted from 1, unless told: each label would be one frame off."""
        rows = {int(row.path) for row in self.table.rows}
        last = max(rows, default=0)
        if 0 in rows and 1 in self._frames and 0 not in self._frames and last + 1 in self._frames:
            what = f"frame 0 has no image, and image {last + 1} no row: the images seem to be counted from 1, the rows from 0"
            mend = "write the images again, counted from 0 (ffmpeg -start_number 0), or delete the row of frame 0 if they are"
            self.listing.add(self.where, what, mend)

    def _tell_several_videos(self) -> None:
        """A number says nothing of the video: images of another one may fill the gaps."""
        images = [files[0] for row in self.table.rows if len(files := self._frames.get(int(row.path), [])) == 1]
        first = {(image.parent, re.sub(r"\d+$", "", image.stem)): image for image in reversed(images)}
        if len(first) > 1:
            one, other = (relative(image, self.listing.root) for image in [*first.values()][-1:-3:-1])
            what = (
                f"the images found for its frames are called in {len(first)} ways, as those of several videos are: e.g. {one} and {other}"
            )
            self.listing.add(self.where, what, _APART)

    def _frame(self, row: Row) -> Path | None:
        files = self._frames.get(int(row.path), [])
        if len(files) == 1:
            return files[0]
        if files:
            kind, example = "frames that several images could be", f"frame {row.path}: {', '.join(file.name for file in files[:3])}"
            self.tally.leave_out(kind, example, _APART, ALWAYS)
        else:
            kind, mend = "frames without an image", "save them as images whose names end with the frame's number, from 0, beside the table"
            self.tally.leave_out(kind, f"frame {row.path} in line {row.line}", mend, NEVER)
        return None

    def _image(self, row: Row) -> tuple[Path, tuple[int, int]] | None:
        """The image of a row and its (width, height)."""
        if self.table.by_frame:
            file = self._frame(row)
            if file is None:
                return None
        else:
            # a path with a video's folder never means an image of the same name in another one
            file, _ = find(row.path, self.bases, self.listing.root, fewest=min(2, len(parts_of(row.path))))
        if file is None and outside(row.path):
            example = f"'{row.path}' in line {row.line} lies outside the dataset's folder, and so does every end of it"
            self.tally.leave_out("rows whose image is missing", example, "write paths relative to that folder")
            return None
        try:
            size = measure(file or self.listing.root / row.path, header_only=True, exif=self.data.exif == "apply")
        except ValueError as reason:
            kind = "rows whose image is missing" if file is None else "rows whose image cannot be read"
            mend = "fetch the images again, or write their paths as labeled-data/VIDEO/IMAGE"
            self.tally.leave_out(kind, f"'{row.path}' in line {row.line}: {reason}", mend)
            return None
        return (file, size) if file else None

    def _pose(self, row: Row, who: str, file: Path, size: tuple[int, int]) -> Pose | None:
        raw = self._values(row, who)
        place = f"line {row.line}{f', {who}' if who else ''}"
        cleaned = self.cleaner.clean(place, raw, file, size)
        if cleaned is None:
            return None
        points, visible = cleaned
        box = whole(size) if self.data.whole_image else box_around(points, visible, size)
        if box is None:
            self.tally.leave_out("instances whose points span no box", place, "label two points of them, or more")
            return None
        return Pose(file, size, box, points, visible, (box[2] - box[0]) * (box[3] - box[1]), 0, 0)

    def _values(self, row: Row, who: str) -> np.ndarray:
        """(K, 3) x, y and flag in the order of the listing's names."""
        import numpy as np

        values = np.array([row.points[who][name] for name in self.orders[who]])
        there = ~np.isnan(values[:, :2]).all(axis=1)  # a point with one coordinate only is malformed, one with none is not labelled
        unset = at_corner(values[:, :2])
        unlikely = there & ~unset & ~(values[:, 2] >= (self.data.likelihood or 0)) if self.table.has_likelihood else np.zeros_like(there)
        self.cells += len(values)
        for mask, kind in ((unset, UNSET), (unlikely, "points below data.likelihood")):
            for index in np.flatnonzero(mask):
                self.unset.leave_out(kind, f"'{self.orders[who][index]}' in line {row.line}", "leave it so, or empty the cells", NEVER)
        return np.column_stack([values[:, :2], 2 * (there & ~unset & ~unlikely)])

    def _add(self, image: dict[str, tuple[Pose, str]], who: str, pose: Pose, row: Row) -> None:
        import numpy as np

        if who not in image:
            image[who] = (pose, self.table.scorer)
            return
        other, scorer = image[who]
        example = f"'{row.path}' in line {row.line} was labelled before"
        if np.array_equal(pose.visible, other.visible) and np.abs(pose.points - other.points).max() < 0.01:
            self.tally.leave_out("rows that repeat another", example, "delete one of the two", NEVER)
        elif scorer != self.table.scorer:
            mend = f"say whose labels count: data.scorer: {scorer} or {self.table.scorer}"
            self.tally.leave_out("rows that contradict another scorer on the same image", example, mend, ALWAYS)
        else:
            mend = "delete one of the two, or name the label files in data.csv"
            self.tally.leave_out("rows that contradict another one on the same image", example, mend, ALWAYS)


FORMAT = Format(DeepLabCutData, read)
