"""Everything that is missing or malformed in a camera-localization dataset."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers import SPLITS, scan

_SMALLEST = 16
"""Pixels: no backbone makes a feature map of less."""


def check(root: Path, options: CameraData) -> list[Problem]:
    """Problems of both splits: what the readers find, and images that cannot be decoded or are tiny."""
    problems: list[Problem] = []
    images: dict[str, str] = {}
    for split in SPLITS:
        frames, found = scan(root, options, split)
        problems += found
        for frame in frames:
            other = images.get(frame.image)
            images.setdefault(frame.image, split)
            if other == split:
                problems.append(Problem(frame.image, f"the frame is listed twice for {split}", "delete one of the two", fatal=False))
            elif other is not None:
                what = "the frame is used for training and for testing"
                problems.append(Problem(frame.image, what, "list its sequence in one split only"))
            elif problem := _image(root, frame.image):
                problems.append(problem)
    return list(dict.fromkeys(problems))


def _image(root: Path, name: str) -> Problem | None:
    from PIL import Image

    # not OpenCV, which fills the missing rest of a truncated JPEG with grey and says nothing
    try:
        with Image.open(root / name) as image:
            image.load()
            width, height = image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return Problem(name, "the image cannot be read or is truncated", "restore it, or delete the frame")
    if min(width, height) < _SMALLEST:
        return Problem(name, f"the image is only {width}x{height} pixels", "restore the original")
    return None
