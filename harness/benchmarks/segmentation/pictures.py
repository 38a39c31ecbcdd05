"""Samples with their label maps drawn in."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np

from harness.benchmarks.base import Sample
from harness.benchmarks.segmentation.options import SegmentationData
from harness.benchmarks.segmentation.readers.pairs import Pairs
from harness.diagnostics.maps import Marks
from harness.images import read_rgb


def palette(data: SegmentationData, count: int) -> list[tuple[int, ...]]:
    """An RGB colour per class: the benchmark's own, or hues a golden ratio apart."""
    if data.colours:
        return [tuple(colour) for colour in data.colours]
    hues = ((index * 0.618034) % 1 for index in range(count))
    return [tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 0.95)) for hue in hues]


def samples(_root: Path, data: SegmentationData, listing: Pairs, count: int) -> list[Sample]:
    """The first ``count`` test images; ignored pixels keep the image's own colours."""
    names = listing.classes
    colours = np.array(palette(data, len(names)), np.float32)
    drawn, decoding = [], listing.decoding(data)
    for pair in listing.split("test")[:count]:
        image, label = read_rgb(pair.image, decoding), pair.read(listing.labels)
        known = (label != data.ignore_index) & (label < len(names))
        annotated = image.copy()
        annotated[known] = (0.45 * image[known] + 0.55 * colours[label[known]]).astype(np.uint8)
        drawn.append(Sample(pair.name, image, annotated, _caption(label[known], names)))
    return drawn


def _caption(labels: np.ndarray, names: list[str]) -> str:
    """The image's classes, the largest first."""
    areas = np.bincount(labels, minlength=len(names))
    return ", ".join(names[i] for i in np.argsort(-areas, kind="stable") if areas[i])


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """The label map of a tested image and the predicted one, in the image's own size."""
    names = list(evaluator.dataset_meta["classes"])
    true, predicted = (np.asarray(getattr(sample, field).data.squeeze(0).cpu()) for field in ("gt_sem_seg", "pred_sem_seg"))
    true = np.where(true < len(names), true, 255).astype(np.uint8)
    return tuple(  # type: ignore[return-value]  # two of two
        Marks(labels=labels, text=_caption(labels[labels != 255], names)) for labels in (true, predicted.astype(np.uint8))
    )
