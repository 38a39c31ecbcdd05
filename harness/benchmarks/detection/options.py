"""What a detection benchmark may say about its data, whatever its format, and about its model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.benchmarks.options import DataOptions, Length, ModelOptions, Options, later

Count = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(gt=0, le=100)]


class DetectionData(DataOptions):
    """Common to all formats."""

    @property
    def class_count(self) -> int:
        """Number of classes, background not among them."""
        raise NotImplementedError

    @property
    def has_masks(self) -> bool:
        """Whether objects have masks, which are then scored, too."""
        return False

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(H, W) of the images, where all have the same."""
        return None


class InputOptions(Options):
    """How an image comes to the network; boxes are scored in the image's own pixels all the same."""

    size: tuple[Length, Length] | None = None
    """(H, W) that images are resized to; their own size by default."""
    keep_ratio: bool = False
    """Fit the longer side into the larger of ``size`` and the shorter one into the smaller, as on COCO; one image at a time in the test."""
    flip: float = Field(default=0.0, ge=0, le=1)
    """Probability of a horizontal flip in training."""
    scales: list[Length] = []
    """Shorter sides of training images, of which one is drawn each time; that of ``size`` by default."""
    crop: bool = False
    """Half of the training images are cut to 384 to 600 pixels a side, as DETR's are, before they are resized."""
    divisor: int = Field(default=1, ge=1)
    """Images are padded to multiples of it: 32 for pyramids of five levels."""

    @model_validator(mode="after")
    def _parts_agree(self) -> InputOptions:
        if (self.keep_ratio or self.scales or self.crop) and not self.size:
            raise ValueError("keep_ratio, scales and crop need size")
        if (self.scales or self.crop) and not self.keep_ratio:
            raise ValueError("scales and crop go with keep_ratio")
        if self.crop and not self.scales:
            raise ValueError("crop needs scales, of which one is drawn behind it")
        return self


class RegionOptions(Options):
    """Of two-stage detectors: regions proposed, trained on and kept."""

    proposed: Count = 1000
    """Regions of an image that are proposed at most, in training and test."""
    before: Count = 2000
    """The best of each level that are compared with one another for that; in the test half as many."""
    trained: Count = 512
    """Regions of an image that the box head is trained on."""
    objects: float = Field(default=0.25, gt=0, le=1)
    """Share of these that are objects, where there are as many."""
    anchors_trained: Count = 256
    """Anchors of an image that the proposals are trained on, half of them objects where there are as many."""
    box_weight: float = Field(default=1.0, gt=0)
    """Times the losses of the boxes, of anchors and regions. They are several times as large as that of the classes, and drown what a
    method learns for these in a short schedule."""
    width: Count = 1024
    """Of the box head's two fully-connected layers."""
    classifier_std: float = Field(default=0.01, gt=0)
    """Spread of the classifier's first weights. With mmdet's 0.01 what starts as the identity gets hardly any gradient in the first
    hundred steps, which a short schedule does not have to spare."""
    bins: Count = 7
    """Of a region's side."""
    convolutions: int = later(0, ge=0, le=64)
    """Of the box head, as wide as the pyramid, before a single fully-connected layer; two fully-connected layers without any."""
    hard: bool = later(False)
    """Train the box head on the regions with the largest losses, instead of drawing them."""
    agnostic: bool = later(False)
    """A region's box is corrected in one way for all classes."""


class DetectionModel(ModelOptions):
    """A backbone with one of mmdet's detectors."""

    detector: Literal["faster-rcnn", "mask-rcnn", "retinanet", "detr", "deformable-detr"] = "faster-rcnn"
    levels: list[Annotated[int, Field(ge=0)]] = []
    """Stages of the backbone that the detector sees, as its ``out_indices``; the last one by default."""
    channels: int = Field(default=256, ge=8)
    """Width of the pyramid's levels, or of DETR's tokens."""
    norm: bool = later(False)
    """Batch normalization in the pyramid and behind the convolutions of the heads of regions."""
    outputs: int = Field(default=5, ge=1)
    """Levels that the pyramid ends with; with as many as ``levels`` there are none beyond."""
    scales: list[Factor] = [8.0]
    """Sides of the anchors in cells of their level; of RetinaNet the first one, of which there are three a third of an octave apart."""
    ratios: list[Factor] = [0.5, 1.0, 2.0]
    """Heights of the anchors, in widths."""
    regions: RegionOptions = RegionOptions()
    layers: Count = 6
    """Of DETR's encoder, and of its decoder."""
    queries: Count = 100
    """Objects that DETR finds at most."""
    feedforward: Count = 2048
    """Hidden width of DETR's layers."""
    score: float = Field(default=0.05, ge=0, lt=1)
    """Boxes that score less are not found; of DETR all are."""
    overlap: float = Field(default=0.5, gt=0, lt=1)
    """Of two boxes of a class that overlap by more the worse goes, where no method says otherwise."""
    found: Count = 100
    """Boxes of an image that are kept."""
    input: InputOptions = InputOptions()

    @model_validator(mode="after")
    def _fits_the_detector(self) -> DetectionModel:
        if self.detector == "detr" and len(self.levels) > 1:
            raise ValueError("detr sees one level; deformable-detr sees several")
        if "detr" not in self.detector and self.outputs < max(1, len(self.levels)):
            raise ValueError(f"outputs: {len(self.levels)} levels of the backbone make a pyramid of at least as many")
        if self.norm and not self.two_stages:
            raise ValueError("norm is that of detectors of two stages")
        if self.norm and not self.regions.convolutions:
            raise ValueError("norm goes with regions.convolutions: fully-connected layers have none")
        return self

    @property
    def two_stages(self) -> bool:
        """Whether regions are proposed, then looked at."""
        return self.detector in ("faster-rcnn", "mask-rcnn")

    def offers(self, slots: tuple[str, ...]) -> tuple[str, ...]:
        """Detectors of two stages have regions, DETR an encoder of one map's positions, and every one has its backbone."""
        regions, encoder = (
            ("relation", "region_features", "duplicate_removal"),
            ("encoder_attention", "position_encoding", "attention_loss"),
        )
        lacking = (() if self.two_stages else regions) + (() if self.detector == "detr" else encoder)
        return tuple(slot for slot in slots if slot not in lacking)
