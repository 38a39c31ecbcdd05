"""Pictures of test images with their boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.benchmarks.base import Sample, relative
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Picture, Pictures
from harness.diagnostics.maps import Marks
from harness.diagnostics.overlays import colour_of
from harness.images import enlarge, label_strip, read_rgb

_LONGEST = 640
"""Longer side of a picture, in pixels; larger images are reduced."""
_SURE = 0.3
"""Score from which on a box is drawn."""


def samples(root: Path, data: DetectionData, listing: Pictures, count: int) -> list[Sample]:
    """The first ``count`` test images with their boxes drawn in, a colour for each class, and their objects counted below."""
    decoding = listing.decoding(data)
    return [_draw(root, picture, read_rgb(picture.file, decoding), listing.classes) for picture in listing.split("test")[:count]]


def _draw(root: Path, picture: Picture, image: np.ndarray, classes: Sequence[str]) -> Sample:
    import cv2

    large, factor = enlarge(image)
    shrink = min(1.0, _LONGEST / max(large.shape[:2]))
    drawn = cv2.resize(large, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else large.copy()
    for item in picture.objects:
        x0, y0, x1, y1 = (round(value * factor * shrink) for value in item.box)
        for colour, thickness in (((0, 0, 0), 4), ((128, 128, 128) if item.optional else colour_of(item.label), 2)):
            cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, thickness)
    caption = counted((item.label for item in picture.objects if not item.optional), classes)
    return Sample(relative(picture.file, root), image, label_strip(drawn, caption), caption)


def counted(labels: Iterable[int], classes: Sequence[str]) -> str:
    """How many there are of each class, in words."""
    counts = Counter(labels)
    return ", ".join(f"{counts[label]} {classes[label] if label < len(classes) else f'of class {label}'}" for label in sorted(counts))


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """The boxes of a tested image and :func:`found`, in the network's padded input."""
    truth = [item for item in sample.truth.objects if not item.optional]
    true, kinds = np.array([item.box for item in truth]).reshape(-1, 4), np.array([item.label for item in truth], int)
    return Marks(boxes=true * _scale(sample), kinds=kinds, text=counted(kinds.tolist(), _classes(evaluator))), found(sample, evaluator)


def found(sample: Any, evaluator: Any) -> Marks:
    """The boxes that any of mmdet's detectors finds with a score of 0.3 or more, with the scores, the surest first."""
    instances = sample.pred_instances
    boxes, scores, labels = (np.asarray(instances[name].detach().cpu()) for name in ("bboxes", "scores", "labels"))
    sure = [place for place in np.argsort(-scores, kind="stable") if scores[place] >= _SURE]
    shown = counted(labels[sure].tolist(), _classes(evaluator))
    return Marks(boxes=boxes[sure] * _scale(sample), scores=scores[sure], kinds=labels[sure], text=shown)


def _scale(sample: Any) -> np.ndarray:
    """(4,): from the image's own pixels to shares of the padded input."""
    height, width = sample.ori_shape[:2]
    shown, padded = (np.array(side[1::-1]) for side in (sample.img_shape, sample.get("batch_input_shape") or sample.img_shape))
    return np.tile(shown / padded / (width, height), 2)


def _classes(evaluator: Any) -> tuple[str, ...]:
    return tuple((evaluator.dataset_meta or {}).get("classes") or ())
