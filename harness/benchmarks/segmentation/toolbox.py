"""mmseg's own dataset classes, for the ``mmseg`` format. mmseg is imported when a function is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from harness.benchmarks.base import DATA
from harness.benchmarks.segmentation.options import ToolboxData
from harness.errors import DataError, UsageError


def config(options: ToolboxData, split: Literal["train", "test"], pipeline: list[dict[str, Any]], root: str = DATA) -> dict[str, Any]:
    """The dataset's mmengine config."""
    arguments = options.train if split == "train" else options.test
    shared: dict[str, Any] = {"pipeline": pipeline, "test_mode": split == "test"}
    if options.ignore_index != 255:
        shared["ignore_index"] = options.ignore_index
    if options.reduce_zero_label:
        shared["reduce_zero_label"] = True
    return {"type": class_name(options), "data_root": root, **shared, **arguments}


def class_name(options: ToolboxData) -> str:
    """The class with its scope; mmseg's where none is written."""
    return options.type if "." in options.type else f"mmseg.{options.type}"


def build(options: ToolboxData, root: Path, split: Literal["train", "test"]) -> Any:
    """The mmseg dataset, without a pipeline.

    Raises:
        UsageError: there is no such class.
        DataError: the class refuses its arguments or the folder.
    """
    from harness import openmmlab

    openmmlab.setup()
    from mmengine.registry import DATASETS

    try:
        with openmmlab.explained():
            return DATASETS.build(config(options, split, [], str(root)))
    except UsageError:
        raise
    except Exception as error:  # whatever a dataset class of mmseg or of the user's raises
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise DataError(f"{class_name(options)} ({split}) cannot be built: {reason[0]}. Correct data.type and data.{split}.") from error


def listed(options: ToolboxData, root: Path, split: Literal["train", "test"]) -> list[tuple[str, str]]:
    """Paths of images and label maps, in the dataset's order."""
    dataset = build(options, root, split)
    entries = (dataset.get_data_info(i) for i in range(len(dataset)))
    return [(entry["img_path"], entry["seg_map_path"]) for entry in entries]
