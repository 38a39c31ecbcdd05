"""What a segmentation benchmark may say, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from harness.benchmarks.options import DataOptions, ModelOptions, Options, ScheduleOptions

if TYPE_CHECKING:
    from harness.benchmarks.base import Split

Size = tuple[int, int]


class SegmentationData(DataOptions):
    """Common to all formats; what a format does not let an entry say, it answers itself."""

    if TYPE_CHECKING:
        ignore_index: int
        reduce_zero_label: bool

    @property
    def class_count(self) -> int:
        """Number of classes."""
        raise NotImplementedError

    @property
    def colours(self) -> list[tuple[int, int, int]] | None:
        """RGB per class, for pictures only."""
        return None

    @property
    def image_size(self) -> Size | None:
        """(H, W) of the images, where all have the same."""
        return None

    def dataset(self, split: Split, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
        """The mmengine config of one split's dataset."""
        raise NotImplementedError


class LabelledData(SegmentationData):
    """Common to the formats whose label maps the user made."""

    ignore_index: int = Field(default=255, ge=0, le=255)
    """The label of pixels that are neither trained on nor scored."""
    reduce_zero_label: bool = False
    """Label 0 means "ignore", and classes are counted from 1 (ADE20K)."""

    @model_validator(mode="after")
    def _zero_becomes_255(self) -> LabelledData:
        if self.reduce_zero_label and self.ignore_index != 255:
            raise ValueError("reduce_zero_label turns label 0 into 255, so ignore_index must be 255")
        return self


class InputOptions(Options):
    """How an image comes to the network; scores are taken at the image's own size all the same."""

    size: Size | None = None
    """(H, W) images are resized to; their own size by default."""
    keep_ratio: bool = False
    """Fit ``size`` without changing the aspect ratio (at test time too, then one image at a time)."""
    scale: tuple[float, float] | None = None
    """Random resize of training images, as a range of factors of ``size``."""
    crop: Size | None = None
    """(H, W) of random crops of training images."""
    flip: float = Field(default=0.0, ge=0, le=1)
    """Probability of a horizontal flip in training."""
    photometric: bool = False
    """Random brightness, contrast, saturation and hue in training."""
    slide: Size | None = None
    """(H, W) stride of sliding-window inference with windows of ``crop``; the whole image at once by default."""

    @model_validator(mode="after")
    def _parts_agree(self) -> InputOptions:
        if self.slide and not self.crop:
            raise ValueError("slide needs crop, the size of the window")
        if (self.scale or self.keep_ratio) and not (self.size and self.crop):
            raise ValueError("scale and keep_ratio need size and crop, or the images of a batch would differ in size")
        return self


class SegmentationModel(ModelOptions):
    """``EncoderDecoder`` with a context head."""

    levels: list[int] = []
    """Stages of the backbone the head sees, as its ``out_indices``; the last one by default."""
    fuse: Literal["concat", "last"] = "concat"
    """Whether the head reads all levels, resized to the first and concatenated, or the last one only."""
    channels: int = Field(default=64, ge=8)
    """Width of the head, and of the map in the ``context`` slot."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    classifier_std: float = Field(default=0.01, gt=0)
    """Spread of the classifier's first weights. With mmseg's 0.01 a context module that starts as the identity gets hardly
    any gradient in the first hundred steps, which a short schedule does not have to spare."""
    auxiliary: float = Field(default=0.0, ge=0)
    """Loss weight of an FCN head on the last but one level; none by default."""
    input: InputOptions = InputOptions()

    def offers(self, slots: tuple[str, ...]) -> tuple[str, ...]:
        """With ``block_at`` blocks go into the backbone, there, and not into the head."""
        return ("block", *slots) if self.block_at else slots


class SegmentationSchedule(ScheduleOptions):
    """The shared schedule, and the polynomial decay of the segmentation literature."""

    decay: Literal["cosine", "step", "poly", "none"] = "cosine"
