"""What a localization benchmark may say about its data and its boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.benchmarks import scenes
from harness.benchmarks.base import DataOptions, ModelOptions, Options

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]

VOC_CLASSES = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip


class LocalizationData(DataOptions):
    """Common to all formats."""

    size: int = Field(default=224, ge=16)
    """Side of the square images the model sees (the aspect ratio is not kept) and of the maps that are scored."""
    full_resolution: bool = False
    """Test images keep their size and are padded with zeros to a multiple of ``pad_to`` (CorLoc's protocol)."""
    pad_to: int = Field(default=16, ge=1)
    augment: Literal["none", "crop-flip"] = "none"
    """``crop-flip``: training images are resized to 8/7 of ``size``, cropped at random and mirrored."""
    calibrate: int = Field(default=100, ge=1)
    """How many training images with boxes choose the threshold of the single box that CorLoc scores; scored images, too, where
    training and test split are the same."""

    @property
    def class_count(self) -> int:
        """Number of classes of the dataset."""
        raise NotImplementedError

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several classes; each class then gets its own logistic output."""
        return False

    @property
    def outputs(self) -> int:
        """Outputs of the classifier: a single class gets a second one, background."""
        return max(2, self.class_count)


@dataclass(frozen=True)
class VocLayout:
    """Where the files of a PASCAL VOC dataset lie, relative to its root."""

    names: list[str]
    """Class names in label order."""
    images: str
    annotations: str
    train: str | None
    """File that lists the training images; ``None``: split by ``test_fraction`` and ``seed``."""
    test: str | None
    test_fraction: float = 0.5
    seed: int = 0


class VocXmlData(LocalizationData):
    """Images and one PASCAL VOC XML file each."""

    format: Literal["voc-xml"]
    root: str
    classes: Names
    """Names of the objects, in label order."""
    images: str = "images"
    """Folder of the images; a file lies in it, or in the subfolder that its annotation names."""
    annotations: str = "annotations"
    train: str | None = None
    """File with the names (without suffix) of the training images; a split by ``test_fraction`` without it."""
    test: str | None = None
    test_fraction: float = Field(default=0.5, gt=0, lt=1)
    """Share of the images for the test where no files say; exact copies of an image stay on one side."""
    seed: int = Field(default=0, ge=0)
    """Another seed splits differently."""
    several_labels: bool = False
    """Whether an image may show several classes; otherwise the class of its first object is its label."""

    @model_validator(mode="after")
    def _consistent(self) -> VocXmlData:
        if (self.train is None) != (self.test is None):
            raise ValueError("give both train and test, or neither (then test_fraction splits)")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is listed twice")
        return self

    @property
    def class_count(self) -> int:
        return len(self.classes)

    @property
    def multi_label(self) -> bool:
        return self.several_labels

    @property
    def layout(self) -> VocLayout:
        """Where the files lie."""
        return VocLayout(self.classes, self.images, self.annotations, self.train, self.test, self.test_fraction, self.seed)


class VocDevkitData(VocXmlData):
    """VOC2007 or VOC2012 as distributed; CorLoc is measured on the images that were trained on (trainval).

    So the images that choose the threshold of CorLoc's box are scored, too; ``box: lost`` and ``dino-seg`` need none.
    """

    format: Literal["voc"]
    classes: Names = VOC_CLASSES
    images: str = "JPEGImages"
    annotations: str = "Annotations"
    train: str = "ImageSets/Main/trainval.txt"
    test: str = "ImageSets/Main/trainval.txt"
    several_labels: bool = True


class SyntheticData(LocalizationData):
    """Cluttered scenes, see :mod:`harness.benchmarks.scenes`."""

    format: Literal["synthetic"]
    size: int = Field(default=64, ge=16)
    train: int = Field(default=480, ge=8)
    """Number of training images."""
    test: int = Field(default=160, ge=8)
    classes: int = Field(default=6, ge=2, le=len(scenes.CLASSES))
    seed: int = Field(default=0, ge=0)
    cue: bool = True
    """Whether the ring that marks the target is drawn; without it nothing tells the target from the others."""

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def layout(self) -> VocLayout:
        """Where the files lie."""
        names = list(scenes.CLASSES[: self.classes])
        return VocLayout(names, ".", "Annotations", "ImageSets/Main/train.txt", "ImageSets/Main/test.txt")


class WsolData(LocalizationData):
    """Metadata files of clovaai/wsolevaluation (CUB, ILSVRC): four text files per split."""

    format: Literal["wsol"]
    root: str
    classes: int = Field(ge=2)
    """Number of classes; labels run from 0."""
    images: str = "."
    """Folder the image ids are relative to."""
    metadata: str = "metadata"
    train: str = "train"
    test: str = "test"
    calibration: str | None = None
    """Split that chooses CorLoc's threshold (``val`` in the published protocol); the training split by default."""

    @property
    def class_count(self) -> int:
        return self.classes


class CubData(LocalizationData):
    """CUB-200-2011 as distributed by Caltech."""

    format: Literal["cub"]
    root: str

    @property
    def class_count(self) -> int:
        return 200


class CocoSplit(Options):
    """One split of a COCO dataset."""

    annotations: str
    """JSON file of instances."""
    images: str
    """Folder of the images."""
    subset: str | None = None
    """File that lists the image files to use, by name or path, one a line (COCO20k)."""


class CocoData(LocalizationData):
    """COCO instances; crowds are left out."""

    format: Literal["coco"]
    root: str
    classes: int = Field(default=80, ge=1)
    """Number of categories in the JSON file."""
    train: CocoSplit
    test: CocoSplit

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def multi_label(self) -> bool:
        return self.classes > 1


class LocalizationModel(ModelOptions):
    """``model:`` of a localization benchmark."""

    box: Literal["map", "cam", "dino-seg", "lost"] = "map"
    """Where CorLoc's box comes from. ``map``: the method's own attention, class activation where it has none;
    ``cam``: always class activation; ``dino-seg``: the component that holds 60 % of the mass of the method's
    own attention, of what a transformer backbone's class token attends to in its last layer, or of class activation;
    ``lost``: the features alone. MaxBoxAcc scores the map (``cam``: class activation), LOST's votes for ``lost``."""
    head: int | None = Field(default=None, ge=0)
    """Which head's or vector's map is taken, counted from 0; by default what all have in common. 4 is that of valeoai/LOST for
    DINO-seg. A method with a single map has no choice (0 in billpsomas/simpool)."""
    lost_features: Literal["keys", "last"] = "keys"
    """What LOST compares: the keys of the last attention where there are any (valeoai/LOST), or the last feature map."""
    lost_patches: int = Field(default=100, ge=1)
    """How many patches of the lowest degree may join LOST's seed."""
    parity: bool = False
    """DINO-seg as published, with the component it overlooks."""
    taus: int = Field(default=1000, ge=2)
    """Number of thresholds of MaxBoxAcc."""
