"""Samples with their label maps drawn in."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import Sample
from harness.benchmarks.segmentation.options import FolderData, SyntheticData, ToolboxData
from harness.benchmarks.segmentation.readers import pairs, read_image, read_label

if TYPE_CHECKING:
    import numpy as np


def palette(options: SyntheticData | FolderData | ToolboxData, count: int) -> list[tuple[int, int, int]]:
    """An RGB colour per class: the benchmark's own, or hues a golden ratio apart."""
    given = getattr(options, "palette", None)
    if given:
        return [tuple(colour) for colour in given]
    hues = ((index * 0.618034) % 1 for index in range(count))
    return [tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 0.95)) for hue in hues]


def samples(options: SyntheticData | FolderData | ToolboxData, root: Path, names: list[str], count: int) -> list[Sample]:
    """The first ``count`` test images; ignored pixels keep the image's own colours."""
    import numpy as np

    colours = np.array(palette(options, len(names)), np.float32)
    drawn = []
    for pair in pairs(options, root, "test")[:count]:
        image, label = read_image(pair.image), read_label(pair.label, options.reduce_zero_label)
        known = (label != options.ignore_index) & (label < len(names))
        annotated = image.copy()
        annotated[known] = (0.45 * image[known] + 0.55 * colours[label[known]]).astype(np.uint8)
        drawn.append(Sample(pair.name, image, annotated, _caption(label[known], names)))
    return drawn


def _caption(labels: np.ndarray, names: list[str]) -> str:
    """The image's classes, the largest first."""
    import numpy as np

    areas = np.bincount(labels, minlength=len(names))
    return ", ".join(names[i] for i in np.argsort(-areas, kind="stable") if areas[i])
