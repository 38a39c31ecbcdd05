"""Option types of segmentation benchmarks."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from harness.benchmarks.base import DataOptions, ModelOptions, Options, ScheduleOptions

FIELD_CLASSES = ("ground", "stone", "wheat", "rye", "banner")
"""Classes of the synthetic scenes, see :mod:`harness.benchmarks.segmentation.synthetic`."""

FIELD_PALETTE = ((92, 74, 60), (140, 140, 150), (240, 200, 70), (70, 160, 80), (230, 60, 60))

Size = tuple[int, int]


class Folder(Options):
    """One folder of images and the folder of their label maps, both relative to the dataset's root."""

    images: str
    labels: str
    list: str | None = None
    """A text file with one image name (without suffix) per line; all images of the folder by default."""


class LabelledData(DataOptions):
    """What every way to read a segmentation dataset has in common."""

    ignore_index: int = Field(default=255, ge=0, le=255)
    """The label of pixels that are neither trained on nor scored."""
    reduce_zero_label: bool = False
    """Label 0 means "ignore", and classes are counted from 1 (ADE20K)."""

    @model_validator(mode="after")
    def _zero_becomes_255(self) -> LabelledData:
        if self.reduce_zero_label and self.ignore_index != 255:
            raise ValueError("reduce_zero_label turns label 0 into 255, so ignore_index must be 255")
        return self


class SyntheticData(DataOptions):
    """Fields whose crop the colour of a distant banner tells."""

    train: int = Field(default=240, ge=1)
    test: int = Field(default=100, ge=1)
    size: int = Field(default=64, ge=48, le=512)
    """Side of the square images in pixels."""
    seed: int = 0
    cue: bool = True
    """Whether the banner's colour tells the crop; without it no model can do better than guess."""

    classes: ClassVar[tuple[str, ...]] = FIELD_CLASSES
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = FIELD_PALETTE
    ignore_index: ClassVar[int] = 255
    reduce_zero_label: ClassVar[bool] = False


class FolderData(LabelledData):
    """Images and label maps in folders, as mmseg and SegNet's CamVid have them."""

    classes: list[str] = Field(min_length=2)
    """Names in label order."""
    palette: list[tuple[int, int, int]] | None = None
    """RGB per class, for pictures only."""
    train: list[Folder] = Field(default=[Folder(images="img_dir/train", labels="ann_dir/train")], min_length=1)
    test: Folder = Folder(images="img_dir/val", labels="ann_dir/val")
    image_suffix: str = ".png"
    label_suffix: str = ".png"

    @field_validator("train", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _names_are_unique(self) -> FolderData:
        twice = sorted({name for name in self.classes if self.classes.count(name) > 1})
        if twice:
            raise ValueError(f"classes are given twice: {', '.join(twice)}")
        if self.palette is not None and len(self.palette) != len(self.classes):
            raise ValueError(f"palette has {len(self.palette)} colours for {len(self.classes)} classes")
        return self


class ToolboxData(LabelledData):
    """Any dataset class of mmseg, with its own arguments."""

    type: str
    """The class, e.g. ``CityscapesDataset``."""
    num_classes: int = Field(ge=2)
    """Its number of classes, so that a trial can be planned without importing mmseg; verified by ``check``."""
    train: dict[str, Any]
    """The class's arguments for training data, e.g. ``data_prefix``; paths are relative to the root."""
    test: dict[str, Any]


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


class SegmentationSchedule(ScheduleOptions):
    """The shared schedule, and the polynomial decay of the segmentation literature."""

    decay: Literal["cosine", "step", "poly", "none"] = "cosine"
