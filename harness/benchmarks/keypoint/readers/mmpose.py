"""Datasets that an mmpose class reads: what they hold, asked of the class itself.

```yaml
data: {format: mmpose, root: ap10k, type: AP10KDataset, keypoints: 17, size: [256, 256],
       train: {ann_file: annotations/ap10k-train-split1.json, images: data},
       test: {ann_file: annotations/ap10k-test-split1.json, images: data}}
```

mmpose is imported when such a dataset is read. Its classes take files as they should be; what of them is odd, ``coco`` explains better.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, field_validator

from harness.benchmarks import buildable
from harness.benchmarks.base import DATA, NEEDED, SPLITS, Format, Split, relative
from harness.benchmarks.keypoint.options import ListedPoints
from harness.benchmarks.keypoint.readers.pose import Box, Pose, Poses
from harness.benchmarks.options import Options, Place, Told
from harness.images import DEEP, measure


class PoseFilter(Told):
    """Which instances count."""

    bbox_score_thr: float | None = None
    """Detected boxes below it are left out."""


class PoseArguments(Told):
    """What the class may be told besides its files; points of another skeleton are for the format ``coco``."""

    filter_cfg: PoseFilter | None = None
    indices: Annotated[int, Field(ge=1)] | list[Annotated[int, Field(ge=0)]] | None = None
    """The first so many instances, or those at these places."""
    sample_interval: int = Field(default=1, ge=1)
    subset: Literal["", "full", "upper", "lower"] = ""
    """Of DeepFashionDataset."""


class MMPoseFiles(Options):
    """One split of an mmpose dataset."""

    ann_file: Place
    images: Place = ""
    """Folder of the images."""
    bbox_file: Annotated[Place, Field(pattern=r"\.json$")] | None = None
    """Detected boxes to test on instead of the annotated ones, as JSON. Then only average precision is reported, and the trivial
    predictor is still given the annotated boxes."""


class MMPoseData(ListedPoints):
    """A dataset class of mmpose for points in single images."""

    format: Literal["mmpose"]
    type: str
    """Its name, e.g. ``CocoDataset`` or ``AP10KDataset``."""
    train: MMPoseFiles
    test: MMPoseFiles
    val: MMPoseFiles | None = None
    """For validation; without it, ``val_share`` of the training images."""
    ap: bool = True
    """Whether AP is reported; it needs annotations in COCO's form."""
    arguments: PoseArguments = PoseArguments()
    """Further arguments of the class."""

    @field_validator("type")
    @classmethod
    def _reads_json(cls, name: str) -> str:
        return buildable.known(name, buildable.MMPOSE_DATASETS, "mmpose dataset class")

    @property
    def whole_image(self) -> bool:
        return False

    @property
    def has_ap(self) -> bool:
        return self.ap or not self.has_truth

    @property
    def has_every_ap(self) -> bool:
        return True

    @property
    def has_truth(self) -> bool:
        return self.test.bbox_file is None

    def files(self, split: Split) -> MMPoseFiles:
        """What a split is made of; where validation is held out, what training is."""
        return {"train": self.train, "val": self.val or self.train, "test": self.test}[split]

    def dataset(self, split: Split, pipeline: list[dict[str, Any]], root: str = DATA) -> dict[str, Any]:
        whole = self.whole(split, pipeline, root)
        if split == "test" or self.val is not None:
            return whole
        return whole | {"type": "PartOf", "of": whole["type"], "options": self.model_dump(mode="json", exclude={"root"}), "split": split}

    def whole(self, split: Split, pipeline: list[dict[str, Any]], root: str) -> dict[str, Any]:
        """Config of mmpose's class for the files of a split."""
        files = self.files(split)
        config: dict[str, Any] = {
            **self.arguments.model_dump(mode="json"),
            "type": f"mmpose.{self.type}",
            "data_root": root,
            "ann_file": files.ann_file,
            "data_prefix": {"img": files.images},
            "data_mode": "topdown",
            "pipeline": pipeline,
            "test_mode": split != "train",
        }
        if files.bbox_file and split != "train":
            config["bbox_file"] = os.path.join(root, files.bbox_file)
        return config


def read(root: Path, data: MMPoseData) -> Poses:
    """Build all splits and list what they hold."""
    from harness import openmmlab

    openmmlab.require("mmpose")
    openmmlab.setup()
    listing = Poses(root=root, names=data.names if data.is_named else [])
    for name in ("val", "test"):
        files = getattr(data, name)
        if files and files.bbox_file:
            listing.text(files.bbox_file, "put it there, or --set data.test.bbox_file=null to test on annotated boxes")
            # annotated boxes: detected ones carry no truth to look at
            data = data.model_copy(update={name: files.model_copy(update={"bbox_file": None})})
    for split in SPLITS if data.val else NEEDED:
        listing.of(split).extend(_split(root, data, split, listing))
    listing.names = listing.names or data.names
    if data.bits is None and listing.bits not in (None, DEEP[-1]):
        # mmpose's classes hand nothing of the dataset as a whole to the transform that reads an image
        what = f"16-bit images hold values of {listing.bits} bits at most"
        listing.add("data.bits", what, f"write data.bits: {listing.bits}, or 16 for the full range")
    return listing.finish(data, val=data.val is not None)


def _split(root: Path, data: MMPoseData, split: Split, listing: Poses) -> list[Pose]:
    from mmpose.registry import DATASETS

    files = data.files(split)
    listing.sources.append(root / files.ann_file)
    missing = [name for name in (files.ann_file, files.images) if name and not (root / name).exists()]
    for name in missing:
        listing.add(name, "not found", "put it there, or correct data.train and data.test")
    if missing:
        return []
    try:
        built = DATASETS.build(data.whole(split, [], str(root)) | {"serialize_data": False})
    except Exception as error:  # whatever a third-party reader meets in a malformed file
        what = f"mmpose's {data.type} cannot read it ({error!r:.200})"
        listing.add(files.ann_file, what, "mend the file, or name another class")
        return []
    if built.metainfo["num_keypoints"] != data.count:
        what = f"{data.type} has {built.metainfo['num_keypoints']} keypoints, data.keypoints says {data.count}"
        listing.add("data.keypoints", what, "correct it")
        return []
    names = [built.metainfo["keypoint_id2name"][index] for index in range(data.count)]
    if listing.names and names != listing.names:
        what = f"{data.type} has the keypoints {', '.join(names)}; data.keypoints says {', '.join(listing.names)}"
        listing.add("data.keypoints", what, f"write data.keypoints: {data.count}, or the names in the order of the class")
        return []
    listing.names = names
    if data.ap:
        listing.sigmas = tuple(float(sigma) for sigma in built.metainfo["sigmas"])
    infos = [built.get_data_info(index) for index in range(len(built))]
    return [pose for index, info in enumerate(infos) if (pose := _pose(root, info, index, data, listing))]


def _pose(root: Path, info: dict[str, Any], index: int, data: MMPoseData, listing: Poses) -> Pose | None:
    file = Path(info["img_path"])
    try:
        size = measure(file, header_only=True, exif=data.exif == "apply")
    except ValueError as reason:
        listing.add(relative(file, root), str(reason), "fetch it again, or take it out of the annotation file")
        return None
    box = cast(Box, tuple(float(v) for v in info["bbox"][0]))
    area = float(info.get("area", (box[2] - box[0]) * (box[3] - box[1])))
    visible = (info["keypoints_visible"][0] > 0).astype(int) * 2
    return Pose(file, size, box, info["keypoints"][0, :, :2], visible, area, int(info.get("img_id", index)), index + 1)


FORMAT = Format(MMPoseData, read)
