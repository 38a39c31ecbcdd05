"""What a segmentation benchmark may say, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.benchmarks.options import DataOptions, Length, ModelOptions, Options, ScheduleOptions, later

Factor = Annotated[float, Field(gt=0, le=100)]
Size = tuple[Length, Length]


class SegmentationData(DataOptions):
    """Common to all formats; what a format does not let an entry say, it answers itself."""

    if TYPE_CHECKING:

        @property
        def ignore_index(self) -> int: ...

    @property
    def class_count(self) -> int:
        """Number of classes."""
        raise NotImplementedError

    @property
    def colours(self) -> list[tuple[int, int, int]] | None:
        """RGB per class, for pictures only."""
        return None

    @property
    def server(self) -> str | None:
        """The server that scores the predictions, where the labels of the test are not public."""
        return None

    @property
    def image_size(self) -> Size | None:
        """(H, W) of the images, where all have the same."""
        return None


class LabelledData(SegmentationData):
    """Common to the formats whose labels the user made."""

    ignore_index: int = Field(default=255, ge=0, le=255)
    """The label of pixels that are neither trained on nor scored."""
    ignore: list[Annotated[int, Field(ge=0, le=255)]] = []
    """Further values of the label maps that are neither trained on nor scored, whatever classes are counted from."""


class MappedData(LabelledData):
    """Common to the formats of label maps whose values the entry can explain."""

    classes: list[Annotated[str, Field(min_length=1)]] = Field(min_length=2)
    """Names in label order."""
    palette: list[tuple[int, int, int]] | None = None
    """RGB per class, for pictures only."""
    reduce_zero_label: bool = False
    """Label 0 means "ignore", and classes are counted from 1 (ADE20K)."""
    labels: dict[str, str] = {}
    """What the values of the label maps mean, where they do not count the classes from 0: value -> class, e.g.
    ``{0: background, 255: cell}``, or colour -> class, ``{"128,0,0": car}``; ``ignore`` for what is not scored."""

    @field_validator("labels", mode="before")
    @classmethod
    def _keys_are_text(cls, given: Any) -> Any:
        return {str(key): value for key, value in given.items()} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _agrees(self) -> MappedData:
        twice = sorted({name for name in self.classes if self.classes.count(name) > 1})
        if twice:
            raise ValueError(f"classes are given twice: {', '.join(twice)}")
        if self.palette is not None and len(self.palette) != len(self.classes):
            raise ValueError(f"palette has {len(self.palette)} colours for {len(self.classes)} classes")
        if self.reduce_zero_label and self.ignore_index != 255:
            raise ValueError("reduce_zero_label turns label 0 into 255, so ignore_index must be 255")
        if self.labels and (self.reduce_zero_label or self.ignore):
            raise ValueError("labels says what every value means; reduce_zero_label and ignore do not go with it")
        unknown = sorted(set(self.labels.values()) - {*self.classes, "ignore"})
        if unknown:
            raise ValueError(f"labels names {', '.join(unknown)}, which data.classes does not list")
        unused = sorted(set(self.classes) - set(self.labels.values())) if self.labels else []
        if unused:
            raise ValueError(f"labels gives no value to {', '.join(unused)}")
        return self

    @property
    def class_count(self) -> int:
        return len(self.classes)

    @property
    def colours(self) -> list[tuple[int, int, int]] | None:
        return self.palette


class InputOptions(Options):
    """How an image comes to the network; scores are taken at the image's own size all the same."""

    size: Size | None = None
    """(H, W) images are resized to; their own size by default."""
    keep_ratio: bool = False
    """Fit ``size`` without changing the aspect ratio (at test time too, then one image at a time)."""
    scale: tuple[Factor, Factor] | None = None
    """Random resize of training images, as a range of factors of ``size``."""
    crop: Size | None = None
    """(H, W) of random crops of training images."""
    flip: float = Field(default=0.0, ge=0, le=1)
    """Probability of a horizontal flip in training."""
    photometric: bool = False
    """Random brightness, contrast, saturation and hue in training."""
    slide: Size | None = None
    """(H, W) stride of sliding-window inference with windows of ``crop``; the whole image at once by default."""
    test_scales: list[Annotated[float, Field(gt=0)]] = later([])
    """Factors of the resized test image whose predictions are averaged; that image alone by default."""
    test_flip: bool = later(False)
    """Average the prediction of the mirrored test image, too."""

    @model_validator(mode="after")
    def _parts_agree(self) -> InputOptions:
        if self.slide and not self.crop:
            raise ValueError("slide needs crop, the size of the window")
        if (self.scale or self.keep_ratio) and not (self.size and self.crop):
            raise ValueError("scale and keep_ratio need size and crop, or the images of a batch would differ in size")
        return self


class HardPixels(Options):
    """Online hard example mining: only pixels whose class is not yet certain are trained on."""

    threshold: float = Field(default=0.7, gt=0, le=1)
    """Probability of the true class below which a pixel is hard."""
    at_least: int = Field(default=100_000, ge=2)
    """Pixels per image that are trained on, hard or not."""


class SegmentationModel(ModelOptions):
    """``EncoderDecoder`` with a context head."""

    levels: list[Annotated[int, Field(ge=0)]] = []
    """Stages of the backbone the head sees, as its ``out_indices``; the last one by default."""
    fuse: Literal["concat", "last"] = "concat"
    """Whether the head reads all levels, resized to the first and concatenated, or the last one only."""
    channels: int = Field(default=64, ge=8)
    """Width of the head, and of the map in the ``context`` slot."""
    head: Literal["skeleton", "mmseg"] = later("skeleton")
    """Around the method. ``skeleton``: two convolutions and a third that joins their output to the head's input, the same for all
    methods. ``mmseg``: what mmseg builds, which for ISANet, ANN, EMANet, DANet, OCRNet, PSANet and DeepLabv3 is less, with mmseg's
    parameters (GC's ratio is 1/4) where the method names no others."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    classifier_std: float = Field(default=0.01, gt=0)
    """Spread of the classifier's first weights. With mmseg's 0.01 a context module that starts as the identity gets hardly
    any gradient in the first hundred steps, which a short schedule does not have to spare."""
    auxiliary: float = Field(default=0.0, ge=0)
    """Loss weight of an FCN head on the last but one level; none by default."""
    auxiliary_channels: int | None = later(None, ge=1)
    """Width of that head; half of ``channels`` by default."""
    align_corners: bool = later(False)
    """Whether maps are resized with the centres of their corner pixels in one place, as crops of 769 and 513 pixels want it."""
    class_weight: list[Annotated[float, Field(gt=0)]] = later([])
    """Weight of each class in the loss of all heads, which is then averaged over labelled pixels; all alike by default, and averaged over
    all pixels, as in mmseg."""
    ohem: HardPixels | None = later(None)
    """Train the head (not the auxiliary one) on hard pixels only, over which its loss is averaged; that of the auxiliary head is over
    labelled pixels."""
    input: InputOptions = InputOptions()

    def offers(self, slots: tuple[str, ...]) -> tuple[str, ...]:
        """With ``block_at`` blocks go into the backbone, there, and not into the head."""
        return ("block", *slots) if self.block_at else slots


class SegmentationSchedule(ScheduleOptions):
    """The shared schedule, and the polynomial decay of the segmentation literature."""

    decay: Literal["cosine", "step", "poly", "none"] = "cosine"  # type: ignore[assignment]  # wider: nobody assigns to options
