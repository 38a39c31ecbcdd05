"""What a keypoint benchmark may say about its data and model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import DataOptions, ModelOptions, Options
from harness.benchmarks.keypoint import figures

COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip
"""Fall-off of the object keypoint similarity for COCO's 17 points (cocodataset.org/#keypoints-eval)."""

_MOCAP = ("Human36mDataset", "H36MWholeBodyDataset", "UBody3dDataset")
"""mmpose's classes of 3-D poses; one of them reads a pickle, which may execute code."""

Side = Annotated[int, Field(ge=16, multiple_of=4)]
Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class KeypointData(DataOptions):
    """Common to all formats."""

    size: tuple[Side, Side] = (64, 64)
    """Width and height of the images the model sees."""
    augment: Literal["none", "affine"] = "none"
    """Training images: ``affine`` shifts, scales and turns them. Frozen backbones want ``none``."""

    @property
    def count(self) -> int:
        """Number of keypoints."""
        raise NotImplementedError

    @property
    def names(self) -> list[str]:
        """Names of the keypoints, in order."""
        return [str(index) for index in range(self.count)]

    @property
    def whole_image(self) -> bool:
        """Whether the model sees whole images and not boxes cut from them."""
        return True

    @property
    def oks_sigmas(self) -> tuple[float, ...] | None:
        """Fall-offs of the object keypoint similarity; without them there is no AP."""
        return None

    @property
    def has_ap(self) -> bool:
        """Whether average precision is reported."""
        return self.oks_sigmas is not None


class SyntheticData(KeypointData):
    """Articulated figures, see :mod:`harness.benchmarks.keypoint.figures`."""

    format: Literal["synthetic"]
    train: int = Field(default=400, ge=4)
    test: int = Field(default=200, ge=4)
    seed: int = Field(default=0, ge=0)
    mirrored: bool = True
    """Whether a limb mirrors its partner; without that a covered limb can only be guessed."""

    @property
    def count(self) -> int:
        return len(figures.NAMES)

    @property
    def names(self) -> list[str]:
        return list(figures.NAMES)


class _Listed(KeypointData):
    """Formats whose points the entry lists."""

    root: str
    keypoints: Annotated[int, Field(ge=1)] | Names
    """How many points there are, or their names in order."""

    @property
    def count(self) -> int:
        return self.keypoints if isinstance(self.keypoints, int) else len(self.keypoints)

    @property
    def names(self) -> list[str]:
        return super().names if isinstance(self.keypoints, int) else list(self.keypoints)


class CocoData(_Listed):
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


class DeepLabCutData(_Listed):
    """Labels of a DeepLabCut project: CSV with the header rows scorer, bodyparts and coords."""

    format: Literal["deeplabcut"]
    csv: list[str] | str | None = None
    """The label files; every ``CollectedData*.csv`` under the root by default."""
    split: float = Field(default=0.8, gt=0, lt=1)
    """The first so many of the labelled images, in the files' order, are for training: neighbouring frames of a
    video look alike, so a random split would test on what was trained."""


class MMPoseFiles(Options):
    """One split of an mmpose dataset."""

    ann_file: str
    images: str = ""
    """Folder of the images."""
    bbox_file: str | None = None
    """Detected boxes to test on instead of the annotated ones."""


class MMPoseData(_Listed):
    """Any dataset class of mmpose."""

    format: Literal["mmpose"]
    type: str
    """Its name, e.g. ``CocoDataset`` or ``AP10KDataset``."""
    train: MMPoseFiles
    test: MMPoseFiles
    ap: bool = True
    """Whether AP is reported; it needs annotations in COCO's form."""
    arguments: dict[str, Any] = {}
    """Further arguments of the class."""

    @model_validator(mode="after")
    def _is_data(self) -> MMPoseData:
        if self.type in _MOCAP:
            raise ValueError(f"{self.type} holds 3-D poses, which this family does not evaluate")
        metainfo = self.arguments.get("metainfo")
        if isinstance(metainfo, dict) and "from_file" in metainfo:
            raise ValueError("metainfo.from_file names a file that mmpose would execute; write its `dataset_info` under metainfo")
        return self

    @property
    def whole_image(self) -> bool:
        return False

    @property
    def has_ap(self) -> bool:
        return self.ap


class KeypointModel(ModelOptions):
    """A backbone with mmpose's heatmap head."""

    deconv: list[Annotated[int, Field(ge=1)]] = [64]
    """Widths of the upsampling layers, each of which doubles the resolution of the map."""
    conv: list[Annotated[int, Field(ge=1)]] = []
    """Widths of 3x3 convolutions after them."""
    sigma: float = Field(default=1.5, gt=0)
    """Standard deviation of the target heatmaps, in cells."""
