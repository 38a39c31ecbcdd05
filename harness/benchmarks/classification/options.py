"""What a classification benchmark may say about its data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.benchmarks import scenes
from harness.benchmarks.base import DataOptions


class ClassificationData(DataOptions):
    """Common to all formats."""

    size: int = Field(default=64, ge=8)
    """Side of the square images the model sees."""
    resize: int | None = Field(default=None, ge=8)
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
    def splits(self) -> tuple[str, str]:
        """Folders of the training and of the test images."""
        return "train", "test"


class SyntheticData(ClassificationData):
    """Cluttered scenes, see :mod:`harness.benchmarks.scenes`."""

    format: Literal["synthetic"]
    train: int = Field(default=600, ge=8)
    test: int = Field(default=300, ge=8)
    classes: int = Field(default=6, ge=2, le=len(scenes.CLASSES))
    seed: int = Field(default=0, ge=0)
    cue: bool = True
    """Whether the ring that marks the target is drawn; without it the task cannot be solved."""

    @property
    def class_names(self) -> list[str]:
        return list(scenes.CLASSES[: self.classes])

    @property
    def class_count(self) -> int:
        return self.classes


class DigitsData(ClassificationData):
    """The 1797 handwritten digits (8x8) that scikit-learn ships: the UCI test set of Alpaydin and Kaynak, 1998."""

    format: Literal["digits"]
    size: int = Field(default=32, ge=8)
    train: int = Field(default=1000, ge=10, le=1700)
    """The first so many are for training, all others for the test: writers then hardly overlap."""

    @property
    def class_names(self) -> list[str]:
        return [str(digit) for digit in range(10)]

    @property
    def class_count(self) -> int:
        return 10


ClassList = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=2)]


class ImageFolderData(ClassificationData):
    """A folder per split, in it a folder per class."""

    format: Literal["image-folder"]
    root: str
    classes: Annotated[int, Field(ge=2)] | ClassList
    """How many class folders there are, or the names of those to use, in label order."""
    train: str = "train"
    """Folder of the training images."""
    test: str = "test"
    """Folder of the test images, ``val`` for many datasets."""

    @property
    def class_names(self) -> list[str] | None:
        return None if isinstance(self.classes, int) else list(self.classes)

    @property
    def class_count(self) -> int:
        return self.classes if isinstance(self.classes, int) else len(self.classes)

    @property
    def splits(self) -> tuple[str, str]:
        return self.train, self.test
