"""Pictures of test images with their boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.benchmarks.base import Sample
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.picture import Pictures
from harness.diagnostics.maps import Marks
from harness.images import enlarge, label_strip, read_rgb

_LONGEST = 640
"""Longer side of a picture, in pixels; larger images are reduced."""


def samples(root: Path, data: LocalizationData, listing: Pictures, count: int) -> list[Sample]:
    """The first ``count`` test images with their boxes drawn in and their classes written below."""
    import cv2

    shown, decoding = [], listing.decoding(data)
    for picture in listing.split("test")[:count]:
        image = read_rgb(listing.image(picture), decoding)
        large, factor = enlarge(image)
        shrink = min(1.0, _LONGEST / max(large.shape[:2]))
        if shrink < 1:
            large = cv2.resize(large, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        drawn = large.copy()
        for box in picture.boxes:
            x0, y0, x1, y1 = (round(value * factor * shrink) for value in box)
            for colour, thickness in (((0, 0, 0), 4), ((255, 220, 0), 2)):
                cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, thickness)
        names = data.class_names
        caption = ", ".join(names[label] if names else f"class {label}" for label in picture.labels)
        shown.append(Sample(picture.file, image, label_strip(drawn, caption), caption))
    return shown


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """The boxes of a tested image and the one that CorLoc judges, in the network's padded input; and the class in words."""
    import numpy as np

    from harness.benchmarks.object_localization.scores.boxes import normalize
    from harness.benchmarks.object_localization.scores.discovery import box_at

    scored = next(metric for metric in evaluator.metrics if hasattr(metric, "threshold"))
    extent, shown = np.array(sample.map_extent), np.array(sample.img_shape[1::-1])
    true = sample.boxes / np.tile(sample.ori_shape[1::-1], 2) * np.tile(shown / extent, 2)
    box = sample.cell_box
    if box is None:
        grid = (int(shown[0]), int(shown[1]))
        box = box_at(normalize(sample.score_map, grid, sample.map_extent), scored.threshold) / np.tile(extent, 2)
    classes = (evaluator.dataset_meta or {}).get("classes") or ()
    labels, guess = sample.gt_label.tolist(), int(sample.pred_score.argmax())

    def named(label: int) -> str:
        return str(classes[label]) if label < len(classes) else f"class {label}"

    return Marks(boxes=true, text=", ".join(map(named, labels))), Marks(boxes=box[None], text=named(guess))
