"""The trivial predictor: the class with the most training pixels, everywhere."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.segmentation.options import FolderData, SyntheticData, ToolboxData
from harness.benchmarks.segmentation.readers import pairs, read_label
from harness.benchmarks.segmentation.scores import counts, summarise


def majority_class(options: SyntheticData | FolderData | ToolboxData, root: Path, names: list[str]) -> dict[str, float]:
    """Scores of predicting the majority class of the training pixels for every test pixel."""
    import numpy as np

    areas = np.zeros(len(names), np.int64)
    for pair in pairs(options, root, "train"):
        label = read_label(pair.label, options.reduce_zero_label)
        areas += np.bincount(label[label != options.ignore_index], minlength=len(names))[: len(names)]
    majority = int(areas.argmax())
    total = np.zeros((3, len(names)), np.int64)
    for pair in pairs(options, root, "test"):
        label = read_label(pair.label, options.reduce_zero_label)
        total += counts(np.full_like(label, majority), label, len(names), options.ignore_index)
    return summarise(total, names)
