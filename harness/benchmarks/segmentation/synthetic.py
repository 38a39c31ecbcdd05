"""Synthetic scenes in which the class of a region depends on something far away.

Striped fields look alike: nothing in a field or near it tells wheat from rye. A banner along one side of the image
does, by its colour, for all fields. Round stones in the banner's two colours lie about, so the mean colour of the
image is a poor guide: the banner must be recognised where it is and its colour be carried over.

The nearest field pixel is at least :data:`GAP` pixels from the banner. A network whose receptive field reaches less
far cannot do better than guess between wheat and rye.

The images are written in the layout that the ``mmseg-folder`` format reads: ``train/``, ``trainannot/``,
and so on for the other splits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.benchmarks.base import Format, Split
from harness.benchmarks.options import GeneratedData
from harness.benchmarks.segmentation.readers.labels import Labels, counted
from harness.benchmarks.segmentation.readers.mmseg_folder import Folder, Layout, read
from harness.images import write_image

if TYPE_CHECKING:
    import numpy as np

CLASSES = ("ground", "stone", "wheat", "rye", "banner")
_PALETTE = ((92, 74, 60), (140, 140, 150), (240, 200, 70), (70, 160, 80), (230, 60, 60))

GAP = 38
"""Least distance in pixels between the banner and a field, for images of 64 pixels and more.

The first stage of a ResNet-18 and three 3x3 convolutions on its stride-4 map see 33 pixels to each side, and bilinear
upsampling of the logits adds 4.
"""

_BANNER = 10
_STONES = 2
_GROUND, _STONE, _WHEAT, _RYE, _BANNER_CLASS = range(5)
_COLOURS = ((205, 70, 60), (65, 95, 205))
"""Of banners and stones; the first means wheat."""


class SyntheticData(GeneratedData, Layout):
    """Fields whose crop the colour of a distant banner tells."""

    format: Literal["synthetic"]
    train: int = Field(default=240, ge=1, le=1 << 20)
    test: int = Field(default=100, ge=1, le=1 << 20)
    size: int = Field(default=64, ge=48, le=512)
    """Side of the square images in pixels."""
    seed: int = 0
    cue: bool = True
    """Whether the banner's colour tells the crop; without it no model can do better than guess."""

    ignore_index: ClassVar[int] = 255

    @property
    def class_count(self) -> int:
        return len(CLASSES)

    @property
    def meaning(self) -> Labels:
        return counted(CLASSES, self.ignore_index)

    @property
    def colours(self) -> list[tuple[int, int, int]]:
        return list(_PALETTE)

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size, self.size

    def folders(self, split: Split) -> list[Folder]:
        return [Folder(images=split, labels=f"{split}annot")] if split != "val" or self.validating else []


def generate(options: SyntheticData, out: Path) -> None:
    """Write the dataset into the folder ``out``; the same options write the same bytes."""
    import numpy as np

    for number, (split, count) in enumerate((("train", options.train), ("test", options.test), ("val", options.validating))):
        images, labels = out / split, out / f"{split}annot"
        images.mkdir(parents=True)
        labels.mkdir()
        for index in range(count):
            rng = np.random.default_rng([options.seed, number, index])
            image, label = _scene(rng, options.size, crop=index % 2, cue=options.cue)
            write_image(images / f"{index:05d}.png", image)
            write_image(labels / f"{index:05d}.png", label)


def _scene(rng: np.random.Generator, size: int, *, crop: int, cue: bool) -> tuple[np.ndarray, np.ndarray]:
    """One RGB image (size, size, 3) and its label map (size, size), both uint8."""
    import numpy as np

    colour = crop if cue else int(rng.integers(2))
    image = np.array((104.0, 92.0, 78.0)) + rng.normal(0, 10, (size, size, 3)) + rng.normal(0, 8, 3)
    label = np.full((size, size), _GROUND, np.uint8)
    free = np.ones((size, size), bool)

    # the scene is drawn with the banner at the top and turned at the end
    image[:_BANNER] = _COLOURS[colour] + rng.normal(0, 10, (_BANNER, size, 3))
    label[:_BANNER] = _BANNER_CLASS
    free[: _BANNER + 3] = False

    rows, columns = np.mgrid[:size, :size]
    far = rows >= _BANNER - 1 + min(GAP, size - 26)
    for _ in range(int(rng.integers(2, 4))):
        mask = _ellipse(rng, rows, columns, far) & far
        stripes = 60.0 * np.sin((rows + columns) * (2 * np.pi / 6) + rng.uniform(0, 6.3))
        image[mask] = (np.array((150.0, 145.0, 80.0)) + stripes[..., None] + rng.normal(0, 8, (size, size, 3)))[mask]
        label[mask] = (_WHEAT, _RYE)[crop]
        free &= ~mask
    for _ in range(_STONES):
        centre = _place(rng, free, radius=5)
        if centre is None:
            continue
        mask = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= 4.6**2
        image[mask] = _COLOURS[rng.integers(2)] + rng.normal(0, 10, (int(mask.sum()), 3))
        label[mask] = _STONE
        free &= (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 > 11**2

    turns = int(rng.integers(4))
    image = np.clip(np.rot90(image, turns), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(image), np.ascontiguousarray(np.rot90(label, turns))


def _ellipse(rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray, where: np.ndarray) -> np.ndarray:
    """An ellipse around a random pixel of ``where``, (H, W) bool."""
    import numpy as np

    centre = np.argwhere(where)[rng.integers(where.sum())]
    half = rng.uniform(0.13, 0.22, 2) * rows.shape[0]
    inside: np.ndarray = ((rows - centre[0]) / half[0]) ** 2 + ((columns - centre[1]) / half[1]) ** 2 <= 1
    return inside


def _place(rng: np.random.Generator, free: np.ndarray, radius: int) -> tuple[int, int] | None:
    """A pixel whose disc of ``radius`` is free; ``None`` where 60 tries found none."""
    size = free.shape[0]
    for _ in range(60):
        y, x = (int(v) for v in rng.integers(radius, size - radius, 2))
        if free[y - radius : y + radius + 1, x - radius : x + radius + 1].all():
            return y, x
    return None


FORMAT = Format(SyntheticData, read, generate)
