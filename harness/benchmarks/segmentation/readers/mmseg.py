"""mmseg's own dataset classes: they say which files there are and how labels count. mmseg is imported when a dataset is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from harness.benchmarks import buildable
from harness.benchmarks.base import SPLITS, Format, Split
from harness.benchmarks.options import Place, Told, later
from harness.benchmarks.segmentation.options import LabelledData
from harness.benchmarks.segmentation.readers.labels import UNKNOWN, Labels, counted
from harness.benchmarks.segmentation.readers.pairs import Pair, Pairs
from harness.errors import DataError, UsageError


class SegFolders(Told):
    """Folders of a split, relative to the root."""

    img_path: Place = ""
    seg_map_path: Place = ""


class SegMeta(Told):
    """Some of the class's classes, or those of ``BaseSegDataset``."""

    classes: list[str] | None = None
    palette: list[tuple[int, int, int]] | None = None


class SegArguments(Told):
    """What the class is told about a split."""

    ann_file: Place = ""
    """A text file with an image a line, without its suffix; all images of the folder by default."""
    data_prefix: SegFolders = SegFolders()
    img_suffix: str = ".jpg"
    seg_map_suffix: str = ".png"
    metainfo: SegMeta | None = None
    reduce_zero_label: bool = False
    indices: Annotated[int, Field(ge=1)] | list[Annotated[int, Field(ge=0)]] | None = None
    """The first so many images, or those at these places."""


class ToolboxData(LabelledData):
    """A dataset class of mmseg that reads images and label maps from folders, with its own arguments."""

    format: Literal["mmseg"]
    type: str
    """The class, e.g. ``CityscapesDataset``."""
    num_classes: int = Field(ge=2)
    """Its number of classes, so that a trial can be planned without importing mmseg; verified by ``check``."""
    reduce_zero_label: bool = False
    """Label 0 means "ignore", and classes are counted from 1; for classes of mmseg that do not say so themselves."""
    train: SegArguments | list[SegArguments]
    """The class's arguments for training data, e.g. ``data_prefix``; paths are relative to the root. Of a list the images are put
    together (Cityscapes' training and validation set)."""
    test: SegArguments
    val: SegArguments | None = None
    """For validation; without it, ``val_share`` of the training images."""
    predictions: Literal["cityscapes"] | None = later(None)
    """Leave the predicted label maps in the trial's ``artifacts/predictions``, for the server of a test set whose labels are not
    public: ``cityscapes``, as label ids (7 is road)."""

    @field_validator("type")
    @classmethod
    def _reads_folders(cls, name: str) -> str:
        buildable.known(name, buildable.MMSEG_DATASETS, "mmseg dataset class", "mmseg")
        return name

    @property
    def class_count(self) -> int:
        return self.num_classes

    @property
    def server(self) -> str | None:
        return self.predictions

    @property
    def class_name(self) -> str:
        """The class with its scope; mmseg's where none is written."""
        return self.type if "." in self.type else f"mmseg.{self.type}"


def read(root: Path, data: ToolboxData) -> Pairs:
    """What the class lists, in its order.

    Raises:
        UsageError: there is no such class.
    """
    listing = Pairs(labels=counted([f"class {index}" for index in range(data.num_classes)], data.ignore_index))
    for split in SPLITS:
        given: SegArguments | list[SegArguments] | None = getattr(data, split)
        for arguments in given if isinstance(given, list) else [] if given is None else [given]:
            _add(root, data, split, arguments, listing)
    return listing


def _add(root: Path, data: ToolboxData, split: Split, arguments: SegArguments, listing: Pairs) -> None:
    """The images that the class lists with these arguments."""
    if arguments.ann_file:
        listing.sources.append(root / arguments.ann_file)
    try:
        dataset = _build(data, root, split, arguments)
    except DataError as error:
        listing.add(f"{split} split", str(error))
        return
    entries = [dataset.get_data_info(index) for index in range(len(dataset))]
    pairs = [(Path(entry["img_path"]), Path(entry["seg_map_path"])) for entry in entries]
    listing.of(split).extend(Pair(image.name, image, label) for image, label in pairs)
    if not pairs:
        listing.add(f"{split} split", "has no image", f"Check data.{split} and the folder.")
        return
    classes = list(dataset.metainfo.get("classes") or ())
    if len(classes) == data.num_classes:
        listing.labels = replace(_labels(classes, data, entries[0]), exif=data.exif == "apply")
    elif split == "test":
        what = f"is {data.num_classes}, but {data.type} has {len(classes)} classes"
        listing.add("data.num_classes", what, f"Write {len(classes)}.")


def _labels(classes: list[str], data: ToolboxData, entry: dict[str, Any]) -> Labels:
    """How the class counts: it may take label 0 for "ignore" and use some of its classes only, as mmseg's own reader does."""
    reduces, chosen = bool(entry.get("reduce_zero_label")), entry.get("label_map")
    if not chosen:
        return counted(classes, data.ignore_index, data.ignore, reduce_zero=reduces)
    of_class = counted([str(value) for value in range(max(chosen) + 1)], data.ignore_index, data.ignore, reduce_zero=reduces)
    table = []
    for label in of_class.table:
        new = chosen.get(label, label) if label not in (UNKNOWN, data.ignore_index) else label
        table.append(data.ignore_index if new in (255, -1) else new)
    return Labels(tuple(classes), data.ignore_index, tuple(table))


def _build(data: ToolboxData, root: Path, split: Split, arguments: SegArguments) -> Any:
    from harness import openmmlab

    openmmlab.setup()
    from mmengine.registry import DATASETS

    config: dict[str, Any] = {"type": data.class_name, "data_root": str(root), "pipeline": [], "test_mode": split != "train"}
    config["serialize_data"] = False  # it is listed and thrown away
    if data.ignore_index != 255:
        config["ignore_index"] = data.ignore_index
    if data.reduce_zero_label:
        config["reduce_zero_label"] = True
    try:
        with openmmlab.explained():
            return DATASETS.build(config | arguments.model_dump())
    except UsageError:
        raise
    except Exception as error:  # whatever a dataset class of mmseg or of the user's raises
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise DataError(f"{data.class_name} ({split}) cannot be built: {reason[0]}. Correct data.type and data.{split}.") from error


FORMAT = Format(ToolboxData, read)
