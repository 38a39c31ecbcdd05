"""Pictures of test images with their boxes."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.base import Sample
from harness.benchmarks.object_localization.options import LocalizationData, SyntheticData, VocXmlData
from harness.benchmarks.object_localization.readers import read
from harness.images import enlarge, label_strip, read_rgb

_LONGEST = 640
"""Longer side of a picture, in pixels; larger images are reduced."""


def boxed_samples(root: Path, data: LocalizationData, count: int) -> list[Sample]:
    """The first ``count`` test images with their boxes drawn in and their classes written below."""
    import cv2

    samples = []
    for picture in read(root, data, "test")[:count]:
        image = read_rgb(root / picture.file)
        shown, factor = enlarge(image)
        shrink = min(1.0, _LONGEST / max(shown.shape[:2]))
        if shrink < 1:
            shown = cv2.resize(shown, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        drawn = shown.copy()
        for box in picture.boxes:
            x0, y0, x1, y1 = (round(value * factor * shrink) for value in box)
            for colour, thickness in (((0, 0, 0), 4), ((255, 220, 0), 2)):
                cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, thickness)
        names = data.layout.names if isinstance(data, (VocXmlData, SyntheticData)) else None
        caption = ", ".join(names[label] if names else f"class {label}" for label in picture.labels)
        samples.append(Sample(picture.file, image, label_strip(drawn, caption), caption))
    return samples
