"""mmseg's own dataset classes. mmseg is imported when a dataset is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.benchmarks.base import DATA, SPLITS, Format, Split, files_named
from harness.benchmarks.segmentation.options import LabelledData
from harness.benchmarks.segmentation.readers.pairs import Pair, Pairs
from harness.errors import DataError, UsageError


class ToolboxData(LabelledData):
    """Any dataset class of mmseg, with its own arguments."""

    format: Literal["mmseg"]
    type: str
    """The class, e.g. ``CityscapesDataset``."""
    num_classes: int = Field(ge=2)
    """Its number of classes, so that a trial can be planned without importing mmseg; verified by ``check``."""
    train: dict[str, Any]
    """The class's arguments for training data, e.g. ``data_prefix``; paths are relative to the root."""
    test: dict[str, Any]

    @property
    def class_count(self) -> int:
        return self.num_classes

    @property
    def class_name(self) -> str:
        """The class with its scope; mmseg's where none is written."""
        return self.type if "." in self.type else f"mmseg.{self.type}"

    def dataset(self, split: Split, pipeline: list[dict[str, Any]], root: str = DATA) -> dict[str, Any]:
        shared: dict[str, Any] = {"pipeline": pipeline, "test_mode": split == "test"}
        if self.ignore_index != 255:
            shared["ignore_index"] = self.ignore_index
        if self.reduce_zero_label:
            shared["reduce_zero_label"] = True
        return {"type": self.class_name, "data_root": root, **shared, **(self.train if split == "train" else self.test)}


def read(root: Path, data: ToolboxData) -> Pairs:
    """What the class lists, in its order.

    Raises:
        UsageError: there is no such class.
    """
    listing = Pairs(classes=[f"class {index}" for index in range(data.num_classes)])
    found: dict[Split, list[Pair]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        listing.sources += files_named(root, data.train if split == "train" else data.test)
        try:
            dataset = _build(data, root, split)
        except DataError as error:
            listing.add(f"{split} split", str(error))
            continue
        entries = (dataset.get_data_info(index) for index in range(len(dataset)))
        pairs = [(Path(entry["img_path"]), Path(entry["seg_map_path"])) for entry in entries]
        found[split] = [Pair(image.name, image, label) for image, label in pairs]
        if not pairs:
            listing.add(f"{split} split", "has no image", f"Check data.{split} and the folder.")
            continue
        classes = list(dataset.metainfo.get("classes") or ())
        if len(classes) == data.num_classes:
            listing.classes = classes
        elif split == "test":
            what = f"is {data.num_classes}, but {data.type} has {len(classes)} classes"
            listing.add("data.num_classes", what, f"Write {len(classes)}.")
    listing.train, listing.test = found["train"], found["test"]
    return listing


def _build(data: ToolboxData, root: Path, split: Split) -> Any:
    from harness import openmmlab

    openmmlab.setup()
    from mmengine.registry import DATASETS

    try:
        with openmmlab.explained():
            return DATASETS.build(data.dataset(split, [], str(root)))
    except UsageError:
        raise
    except Exception as error:  # whatever a dataset class of mmseg or of the user's raises
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise DataError(f"{data.class_name} ({split}) cannot be built: {reason[0]}. Correct data.type and data.{split}.") from error


FORMAT = Format(ToolboxData, read)
