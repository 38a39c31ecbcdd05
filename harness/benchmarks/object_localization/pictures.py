"""Pictures of test images with their boxes."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.base import Sample
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.picture import Pictures
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
