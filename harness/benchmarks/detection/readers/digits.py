"""scikit-learn's handwritten digits, pasted into canvases, as COCO JSON: a demo on any machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers import coco
from harness.benchmarks.detection.readers.picture import Pictures
from harness.benchmarks.options import GeneratedData
from harness.images import write_image

if TYPE_CHECKING:
    import numpy as np

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ENDS = (850, 1000)
"""The digits before the first are those of training images, those before the second of validation: writers then hardly overlap."""
_INK = 32
"""Grey value from which on a pixel belongs to a digit."""


class DigitsData(GeneratedData, DetectionData):
    """The 1797 handwritten digits (8x8) that scikit-learn ships, three to six in an image, none upon another."""

    format: Literal["digits"]
    train: int = Field(default=300, ge=2, le=1 << 20)
    test: int = Field(default=100, ge=2, le=1 << 20)
    size: int = Field(default=96, ge=64, le=512)
    """Side of the square images in pixels."""
    seed: int = Field(default=0, ge=0)

    @property
    def class_count(self) -> int:
        return len(NAMES)

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size, self.size


def _read(root: Path, data: DigitsData) -> Pictures:
    splits = {name: {"annotations": f"{name}.json", "images": name} for name in ("train", "test", "val")}
    if not data.validating:
        del splits["val"]
    return coco.read(root, coco.CocoData.model_validate({"format": "coco", "root": str(root), "classes": len(NAMES), **splits}))


def _generate(data: DigitsData, out: Path) -> None:
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)  # stored as 0..16
    parts = {"train": (0, _ENDS[0]), "val": _ENDS, "test": (_ENDS[1], len(pixels))}
    counts = {"train": data.train, "test": data.test, "val": data.validating}
    categories = [{"id": digit + 1, "name": name} for digit, name in enumerate(NAMES)]
    for number, (split, count) in enumerate(counts.items()):
        (out / split).mkdir()
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for index in range(count):
            rng = np.random.default_rng([data.seed, number, index])
            image, boxes = _canvas(rng, data.size, pixels, rng.integers(*parts[split], size=rng.integers(3, 7)))
            name = f"{index:05d}.png"
            write_image(out / split / name, np.repeat(image[..., None], 3, axis=2))
            images.append({"id": index + 1, "file_name": name, "width": data.size, "height": data.size})
            for digit, (x, y, width, height) in boxes:
                one = {"id": len(annotations) + 1, "image_id": index + 1, "category_id": int(digits.target[digit]) + 1}
                annotations.append({**one, "bbox": [x, y, width, height], "area": width * height, "iscrowd": 0})
        content = {"images": images, "annotations": annotations, "categories": categories}
        (out / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def _canvas(
    rng: np.random.Generator, size: int, pixels: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, list[tuple[int, tuple[int, int, int, int]]]]:
    """An image (size, size) uint8 with the chosen digits, a sixth to a third of it large, and x, y, width, height of what has ink."""
    import cv2
    import numpy as np

    image = rng.normal(40, 12, (size, size))
    free, found = np.ones((size, size), bool), []
    for digit in chosen.tolist():
        side = int(rng.integers(size // 6, size // 3))
        large = cv2.resize(pixels[digit], (side, side), interpolation=cv2.INTER_LINEAR)
        for _ in range(60):
            x, y = (int(value) for value in rng.integers(0, size - side, 2))
            if free[y : y + side, x : x + side].all():
                break
        else:
            continue
        free[y : y + side, x : x + side] = False
        image[y : y + side, x : x + side] += large * float(rng.uniform(0.5, 0.8))
        rows, columns = ((large >= _INK).any(axis).nonzero()[0] for axis in (1, 0))
        box = (x + int(columns[0]), y + int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)
        found.append((digit, box))
    return np.clip(image, 0, 255).astype(np.uint8), found


FORMAT = Format(DigitsData, _read, _generate)
