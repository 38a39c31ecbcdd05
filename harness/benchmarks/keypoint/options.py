"""What a keypoint benchmark may say about its data, whatever its format, and about its model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import DATA, Split
from harness.benchmarks.keypoint.oks import COCO_SIGMAS, coco_sigmas
from harness.benchmarks.options import DataOptions, ModelOptions, later
from harness.errors import did_you_mean

Side = Annotated[int, Field(ge=16, le=1 << 15, multiple_of=4)]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Sigma = Annotated[float, Field(gt=0)]


class KeypointData(DataOptions):
    """Common to all formats."""

    size: tuple[Side, Side] = (64, 64)
    """Width and height of the images the model sees."""
    augment: Literal["none", "affine", "coco", "mpii"] = "none"
    """Training images: ``affine`` shifts, scales and turns them a little; ``coco`` mirrors them, cuts some to half a body, shifts, scales
    by up to a half and turns by up to 80 degrees, as mmpose does on COCO; ``mpii`` is that without half bodies and shifts. In a mirror
    points whose names differ in left and right (``left_ear``, ``earR``, ``L-ear``) change places. Frozen backbones want ``none``."""
    thresholds: list[Share] = []
    """How far a point may lie from its place to be correct, as shares of ``norm``, e.g. ``[0.05, 0.1, 0.2]``: a metric each.
    ``PCK@0.05``, relative to the box, is always reported. By default 0.5 of the head and 0.2 of the torso."""
    norm: Literal["box", "head", "torso"] = "box"
    """What errors are measured against: the box's longer side (``PCK@``), or the distance of the two points of ``segment`` in the
    same instance (``PCKh@`` for the head, ``tPCK@`` for the torso); an instance that lacks one of the two is left out of that metric."""
    segment: tuple[Name, Name] | None = None
    """The two keypoints whose distance is the ``head`` or ``torso``, e.g. ``[neck, head_top]`` or ``[left_shoulder, right_hip]``."""

    @model_validator(mode="after")
    def _segment_where_it_is_used(self) -> KeypointData:
        if (self.norm == "box") != (self.segment is None):
            raise ValueError("segment: give the two keypoints of norm: head or norm: torso, and none with norm: box")
        if self.segment and self.segment[0] == self.segment[1]:
            raise ValueError(f"segment: '{self.segment[0]}' is named twice; give the two ends")
        return self

    @property
    def count(self) -> int:
        """Number of keypoints."""
        raise NotImplementedError

    @property
    def names(self) -> list[str]:
        """Names of the keypoints, in order; their numbers where the entry does not name them."""
        return [str(index) for index in range(self.count)]

    @property
    def primary(self) -> str | None:
        return None if self.has_truth else "AP"

    @property
    def mirrors(self) -> bool:
        """Whether training images are mirrored."""
        return self.augment in ("coco", "mpii")

    @property
    def whole_image(self) -> bool:
        """Whether the model sees whole images and not boxes cut from them."""
        return True

    @property
    def has_ap(self) -> bool:
        """Whether average precision is reported."""
        return False

    @property
    def has_every_ap(self) -> bool:
        """Whether all that COCO's evaluation says of precision and recall is reported."""
        return False

    @property
    def has_truth(self) -> bool:
        """Whether each tested instance has true points of its own, which detected boxes have not."""
        return True

    @property
    def has_head(self) -> bool:
        """Whether each tested instance has the length of its head, against which MPII measures errors."""
        return False

    def dataset(self, split: Split, pipeline: list[dict[str, Any]], root: str = DATA) -> dict[str, Any]:
        """Config of the dataset class that reads a split."""
        return {
            "type": "KeypointDataset",
            "data_root": root,
            "options": self.model_dump(mode="json", exclude={"root"}),
            "split": split,
            "pipeline": pipeline,
            "test_mode": split != "train",
        }


class ListedPoints(KeypointData):
    """Formats whose points the entry lists."""

    root: str
    keypoints: Annotated[int, Field(ge=1)] | Names
    """The keypoints' names in order, whatever their order in the files; or how many there are, then the first file's names count."""

    @model_validator(mode="after")
    def _named_once(self) -> ListedPoints:
        if self.is_named and (twice := next((name for name in self.names if self.names.count(name) > 1), None)):
            raise ValueError(f"keypoints: '{twice}' is named twice")
        for end in self.segment or ():
            if self.is_named and end not in self.names:
                raise ValueError(f"segment: {did_you_mean(end, self.names, 'keypoint')}")
        return self

    @property
    def is_named(self) -> bool:
        """Whether the entry says the names."""
        return not isinstance(self.keypoints, int)

    @property
    def count(self) -> int:
        return self.keypoints if isinstance(self.keypoints, int) else len(self.keypoints)

    @property
    def names(self) -> list[str]:
        return super().names if isinstance(self.keypoints, int) else list(self.keypoints)


class LabelledPoints(ListedPoints):
    """Formats whose label files the harness reads itself."""

    sigmas: Annotated[list[Sigma], Field(min_length=1)] | Literal["coco"] | None = None
    """Fall-offs of the object keypoint similarity, one per keypoint, or ``coco`` for COCO's 17 points. By default COCO's where
    ``keypoints`` are COCO's names. Without them there is no AP."""

    @model_validator(mode="after")
    def _one_sigma_per_point(self) -> LabelledPoints:
        given = len(COCO_SIGMAS) if self.sigmas == "coco" else len(self.sigmas or [])
        if self.sigmas is not None and given != self.count:
            raise ValueError(f"sigmas: {given} values for {self.count} keypoints")
        return self

    def oks_sigmas(self, names: list[str]) -> tuple[float, ...] | None:
        """Fall-offs of the object keypoint similarity of the keypoints ``names``; without them there is no AP."""
        if self.sigmas == "coco":
            return coco_sigmas(names) or COCO_SIGMAS
        if self.sigmas is not None:
            return tuple(self.sigmas)
        return coco_sigmas(self.names)

    @property
    def has_ap(self) -> bool:
        return self.oks_sigmas(self.names) is not None


class KeypointModel(ModelOptions):
    """A backbone with mmpose's heatmap head."""

    deconv: list[Annotated[int, Field(ge=1)]] = [64]
    """Widths of the upsampling layers, each of which doubles the resolution of the map."""
    conv: list[Annotated[int, Field(ge=1)]] = []
    """Widths of 3x3 convolutions after them."""
    sigma: float = Field(default=1.5, gt=0)
    """Standard deviation of the target heatmaps, in cells."""
    decoding: Literal["unbiased", "quarter", "udp"] = later("unbiased")
    """From heatmap to point. ``unbiased``: by its Taylor expansion (Zhang et al., CVPR 2020). ``quarter``: a quarter of a cell towards
    the second highest, as SimpleBaseline and HRNet have it. ``udp``: as Huang et al. (CVPR 2020), who also measure images between the
    centres of their outer pixels."""
    flip_test: bool = later(False)
    """Average the heatmaps of the test image and of its mirror image."""
