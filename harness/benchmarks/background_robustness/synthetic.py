"""Objects on striped backgrounds in the layout of ImageNet-9, whose masks are known.

In training, an object mostly stands on the stripes of its class, of which there is more to see. So a classifier may look at either, and
the variants say at which it does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.benchmarks import scenes
from harness.benchmarks.background_robustness.options import BackgroundData
from harness.benchmarks.background_robustness.readers import varied
from harness.benchmarks.background_robustness.readers.varied import Variants
from harness.benchmarks.background_robustness.scores import VARIANTS
from harness.benchmarks.base import Format, Split
from harness.benchmarks.options import GeneratedData
from harness.images import write_image

if TYPE_CHECKING:
    import numpy as np

_SIDE = (0.3, 0.5)
"""Side of an object's square, as a share of the image's."""
_WAVES = (3.0, 6.0)
"""Stripes across an image."""


class SyntheticData(GeneratedData, BackgroundData):
    """Objects on striped backgrounds, see :mod:`harness.benchmarks.background_robustness.synthetic`."""

    format: Literal["synthetic"]
    train: int = Field(default=600, ge=8, le=1 << 20)
    test: int = Field(default=240, ge=8, le=1 << 20)
    """Number of test images, each in all eight variants."""
    classes: int = Field(default=6, ge=2, le=len(scenes.CLASSES))
    seed: int = Field(default=0, ge=0)
    agreement: float = Field(default=0.9, ge=0, le=1)
    """Share of the training images, and of the original variant, whose stripes are surely those of the object's class; in the others
    they are of any class."""

    @property
    def class_names(self) -> list[str]:
        return list(scenes.CLASSES[: self.classes])

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def splits(self) -> dict[Split, str]:
        return {"train": "train"}

    @property
    def test_folder(self) -> str:
        return "test"

    @property
    def val_folder(self) -> str | None:
        return "val" if self.validating else None

    @property
    def groups(self) -> list[str]:
        return self.class_names


def read(root: Path, data: SyntheticData) -> Variants:
    """List all splits."""
    listing = varied.read(root, data)
    listing.mapping = [*range(data.classes)]
    return listing


def generate(data: SyntheticData, out: Path) -> None:
    """Write the dataset into the folder ``out``; the same options write the same bytes."""
    import numpy as np

    for number, (split, count) in enumerate((("train", data.train), ("test", data.test), ("val", data.validating))):
        for index in range(count):
            rng = np.random.default_rng([data.seed, number, index])
            label = index % data.classes
            made = variants(rng, label, data.size, data.classes, data.agreement)
            for name, image in made.items() if split != "train" else [("", made["original"])]:
                folder = out / split / (f"{name}/val" if name else "") / scenes.CLASSES[label]
                folder.mkdir(parents=True, exist_ok=True)
                write_image(folder / f"{index:05d}.png", image)


def variants(rng: np.random.Generator, label: int, size: int, classes: int, agreement: float) -> dict[str, np.ndarray]:
    """One object in all of :data:`VARIANTS`: name -> (size, size, 3) uint8 RGB.

    Args:
        label: of the object.
        agreement: how surely the original background is of that class, rather than of any.
    """
    import numpy as np

    side = round(size * float(rng.uniform(*_SIDE)))
    x, y = (int(v) for v in rng.integers(0, size - side + 1, 2))
    covered = np.zeros((size, size))
    covered[y : y + side, x : x + side] = scenes.cover(side, label, float(rng.uniform(0, 2 * np.pi)))
    own = label if rng.random() < agreement else int(rng.integers(classes))
    noise = rng.normal(0, 6, (size, size, 3))
    background = striped(rng, own, size, classes)
    others = {"mixed_same": label, "mixed_rand": int(rng.integers(classes)), "mixed_next": (label + 1) % classes}

    def on(ground: np.ndarray) -> np.ndarray:
        mixed: np.ndarray = ground * (1 - covered[..., None]) + covered[..., None] * np.array(scenes.COLOURS[label], float)
        return mixed

    mask = covered > 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    blacked = background.copy()
    blacked[box] = 0
    tiled = background.copy()
    tiled[box] = _tile(background, box)
    made = {
        "original": on(background) + noise,
        "only_fg": np.where(mask[..., None], on(np.zeros_like(background)) + noise, 0),
        **{name: on(striped(rng, kind, size, classes)) + noise for name, kind in others.items()},
        "no_fg": np.where(mask[..., None], 0, background + noise),
        "only_bg_b": np.where((blacked == 0).all(axis=2, keepdims=True), 0, blacked + noise),
        "only_bg_t": tiled + noise,
    }
    return {name: np.clip(made[name], 0, 255).astype(np.uint8) for name in VARIANTS}


def striped(rng: np.random.Generator, kind: int, size: int, classes: int) -> np.ndarray:
    """The background of a class: (size, size, 3) float, grey stripes whose direction is that of the class."""
    import numpy as np

    v, u = np.mgrid[0:size, 0:size] / size
    angle = np.pi * (kind + float(rng.uniform(-0.15, 0.15))) / classes
    waves, phase = float(rng.uniform(*_WAVES)), float(rng.uniform(0, 2 * np.pi))
    stripes = 30 * np.sin(2 * np.pi * waves * (np.cos(angle) * u + np.sin(angle) * v) + phase)
    found: np.ndarray = 118 + rng.normal(0, 14, 3) + stripes[..., None]
    return found


def _tile(image: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """What fills a box with the largest strip beside it, laid side by side as often as it takes."""
    import numpy as np

    rows, columns = box
    strips = [image[: rows.start], image[rows.stop :], image[:, : columns.start], image[:, columns.stop :]]
    strip = max(strips, key=lambda some: some.shape[0] * some.shape[1])
    height, width = rows.stop - rows.start, columns.stop - columns.start
    times = -(-height // strip.shape[0]), -(-width // strip.shape[1]), 1
    found: np.ndarray = np.tile(strip, times)[:height, :width]
    return found


FORMAT = Format(SyntheticData, read, generate)
