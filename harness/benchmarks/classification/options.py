"""What a classification benchmark may say about its data, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from harness.benchmarks.base import Split
from harness.benchmarks.options import DataOptions

Classes = Annotated[int, Field(ge=2)] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=2)]
"""How many classes there are, or their names in label order."""


class ClassificationData(DataOptions):
    """Common to all formats."""

    size: int = Field(default=64, ge=8, le=1 << 15)
    """Side of the square images the model sees."""
    resize: int | None = Field(default=None, ge=8, le=1 << 15)
    """Shorter side before the centre crop to ``size`` (ImageNet's protocol: 256 to 224); ``size`` by default."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    augment: Literal["none", "crop", "crop-flip"] = "none"
    """Training images: shifted by up to an eighth of their side, and mirrored. Frozen backbones want ``none``."""

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
