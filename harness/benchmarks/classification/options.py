"""What a classification benchmark may say about its data, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from harness.benchmarks.base import Split
from harness.benchmarks.options import ModelOptions, ShrunkData, later

Classes = Annotated[int, Field(ge=2)] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=2)]
"""How many classes there are, or their names in label order."""


class ClassificationData(ShrunkData):
    """Common to all formats."""

    size: int = Field(default=64, ge=8, le=1 << 15)
    """Side of the square images the model sees."""
    resize: int | None = Field(default=None, ge=8, le=1 << 15)
    """Shorter side before the centre crop to ``size`` (ImageNet's protocol: 256 to 224); ``size`` by default."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    augment: Literal["none", "crop", "crop-flip", "pad-crop-flip", "resized-crop-flip", "rand-augment"] = "none"
    """Training images: shifted by up to an eighth of their side, and mirrored; ``pad-crop-flip``: the same with black edges (CIFAR's
    protocol); ``resized-crop-flip``: 8 to 100 % of their area at 3:4 to 4:3, resized, and mirrored (ImageNet's); ``rand-augment``: that,
    and two random changes of colour or geometry (timm's ``rand-m9-mstd0.5-inc1``). Frozen backbones want ``none``."""
    erase: float = later(0.0, ge=0, le=1)
    """Probability that a rectangle of a training image becomes noise."""

    @property
    def class_names(self) -> list[str] | None:
        """Class folders in label order; ``None``: all folders of the training split, sorted."""
        return None

    @property
    def class_count(self) -> int:
        """Number of classes."""
        raise NotImplementedError

    @property
    def splits(self) -> dict[Split, str]:
        """Folder of the images of each split that is read."""
        return {"train": "train", "test": "test"}


class ListedClasses(ClassificationData):
    """Common to the formats whose entry says the classes."""

    if TYPE_CHECKING:
        classes: Classes

    @property
    def class_names(self) -> list[str] | None:
        return None if isinstance(self.classes, int) else list(self.classes)

    @property
    def class_count(self) -> int:
        return self.classes if isinstance(self.classes, int) else len(self.classes)


class ClassificationModel(ModelOptions):
    """``model:`` of a classification benchmark."""

    label_smoothing: float = later(0.0, ge=0, lt=1)
    """Share of the target that is spread over all classes."""
    mixup: float = later(0.0, ge=0)
    """Alpha of mixup: pairs of training images are blended, and so are their targets; 0 for none."""
    cutmix: float = later(0.0, ge=0)
    """Alpha of CutMix: a box of one image takes the place of that of another, and targets are blended by its area; 0 for none. Beside
    mixup each batch has one of the two, by equal chances."""
