"""Cluttered scenes: one marked target among look-alikes, for classification and object localization.

Every scene holds one target and several distractors of the same sizes, all of different classes, on a
textured background. Only a ring around the target tells which of the objects counts; its class is the image's
label. So what is in a picture says nothing about which object is meant (guessing among n + 1 objects is the best
one can do without the ring): evidence must be taken at the ring and nowhere else, and an average over positions
dilutes it.

The images are written as an image folder (``train/<class>/*.png``, ``test/<class>/*.png``, ...) and, for the same
files, as PASCAL VOC (``Annotations/*.xml``, ``ImageSets/Main/*.txt``), so that both families read one dataset.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.images import write_image

if TYPE_CHECKING:
    import numpy as np

CLASSES = (
    "red-disc", "green-square", "blue-triangle", "yellow-cross", "violet-diamond", "cyan-bar", "orange-frame", "white-dots",
)  # fmt: skip
"""Class names in label order; a dataset of n classes uses the first n."""

COLOURS = ((214, 48, 49), (56, 165, 74), (58, 90, 210), (226, 200, 52), (150, 74, 186), (60, 196, 204), (234, 134, 46), (232, 232, 232))
"""Red, green, blue of each class."""
_RING = (20, 20, 20)
SIDE = (0.22, 0.34)
"""Side of an object's box, as a share of the image's side."""
DISTRACTORS = (3, 5)
"""Fewest and most distractors of a scene."""
_RING_INNER = 0.76  # radius of the ring's inner edge and of the object inside, for a box of half-side 1
EXTENT = 0.58


def generate_scenes(
    out: Path,
    counts: Mapping[str, int],
    *,
    size: int,
    classes: int,
    seed: int = 0,
    distractors: tuple[int, int] = DISTRACTORS,
    side: tuple[float, float] = SIDE,
    cue: bool = True,
    clutter: float = 1.0,
    extent: float = EXTENT,
) -> None:
    """Write a dataset of scenes into the folder ``out``; the same arguments write the same bytes.

    Args:
        counts: split -> number of images, spread evenly over the classes; the first split has the same ones whatever follows, and
            so on.
        size: side of the square images in pixels.
        classes: number of classes, 2 to 8.
        seed: another seed gives other scenes.
        distractors: fewest and most distractors of a scene; fewer where there is no room, and never more than the other classes.
        side: smallest and largest side of an object's box, as a share of the image's side.
        cue: whether the ring is drawn; without it nothing tells the target from the distractors.
        clutter: times the strength of the background's colours.
        extent: side of what is drawn, as a share of the object's box; by default a ring has room around it.

    Raises:
        ValueError: ``classes`` is out of range.
    """
    import numpy as np

    if not 2 <= classes <= len(CLASSES):
        raise ValueError(f"scenes have 2 to {len(CLASSES)} classes, not {classes}")
    annotations, sets = out / "Annotations", out / "ImageSets" / "Main"
    for folder in (annotations, sets):
        folder.mkdir(parents=True, exist_ok=True)
    for number, (split, count) in enumerate(counts.items()):
        stems = [f"{split}-{index:05d}" for index in range(count)]
        for name in CLASSES[:classes]:
            (out / split / name).mkdir(parents=True, exist_ok=True)
        for index, stem in enumerate(stems):
            rng = np.random.default_rng([seed, number, index])
            label = index % classes
            image, box = _scene(rng, size, label, classes, distractors, side, cue, clutter, extent)
            inside = f"{split}/{CLASSES[label]}"
            write_image(out / inside / f"{stem}.png", image)
            (annotations / f"{stem}.xml").write_text(_voc(inside, stem, size, CLASSES[label], box), encoding="utf-8")
        (sets / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")


def _scene(
    rng: np.random.Generator,
    size: int,
    label: int,
    classes: int,
    distractors: tuple[int, int],
    share: tuple[float, float],
    cue: bool,
    clutter: float,
    extent: float,
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """One (size, size, 3) uint8 RGB image and the target's box (xmin, ymin, xmax, ymax) in 0-based inclusive pixels."""
    import numpy as np

    image = background(rng, size, clutter)
    others = [c for c in range(classes) if c != label]
    count = min(int(rng.integers(distractors[0], distractors[1] + 1)), len(others))
    kinds = [label, *rng.choice(others, count, replace=False)]
    taken: list[tuple[int, int, int]] = []
    for kind in kinds:
        place = _free_place(rng, size, share, taken)
        if place is None:
            continue
        taken.append(place)
        _draw(image, place, int(kind), float(rng.uniform(0, 2 * np.pi)), extent, ring=cue and len(taken) == 1)
    noisy = image + rng.normal(0, 6, image.shape)
    x, y, side = taken[0]
    return np.clip(noisy, 0, 255).astype(np.uint8), (x, y, x + side - 1, y + side - 1)


def background(rng: np.random.Generator, size: int, clutter: float = 1.0) -> np.ndarray:
    """Coloured noise at several scales, (size, size, 3) float.

    Args:
        clutter: times the strength of its colours.
    """
    import cv2
    import numpy as np

    image = np.full((size, size, 3), 118.0) + rng.normal(0, 14, 3) * clutter
    for cells, strength in ((3, 22.0), (8, 16.0), (24, 12.0)):
        coarse = rng.normal(0, strength, (cells, cells, 3)) * clutter
        image += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return image


def _free_place(
    rng: np.random.Generator, size: int, share: tuple[float, float], taken: list[tuple[int, int, int]]
) -> tuple[int, int, int] | None:
    """A square (x, y, side) that touches none of ``taken``; ``None`` where 50 tries found no room."""
    for _ in range(50):
        side = round(size * float(rng.uniform(*share)))
        x, y = (int(v) for v in rng.integers(0, size - side + 1, 2))
        if all(x + side <= a or a + s <= x or y + side <= b or b + s <= y for a, b, s in taken):
            return x, y, side
    return None


def cover(side: int, kind: int, angle: float) -> np.ndarray:
    """How much of each pixel of a square an object of the class ``kind`` covers: (side, side), 0 to 1."""
    import numpy as np

    steps = (np.arange(side) + 0.5) / side * 2 - 1
    u, v = np.meshgrid(steps, steps)
    turned_u, turned_v = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
    found: np.ndarray = np.clip(0.5 - _distance(kind, turned_u, turned_v) * side / 2, 0, 1)
    return found


def _draw(image: np.ndarray, place: tuple[int, int, int], kind: int, angle: float, extent: float, *, ring: bool) -> None:
    import numpy as np

    x, y, side = place
    steps = (np.arange(side) + 0.5) / side * 2 - 1
    u, v = np.meshgrid(steps, steps)
    patch = image[y : y + side, x : x + side]
    turned_u, turned_v = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
    edge = 2.0 / side  # a pixel, the width of the anti-aliased edge
    _blend(patch, _distance(kind, turned_u / extent, turned_v / extent) * extent, edge, COLOURS[kind])
    if ring:
        middle, half = (1 + _RING_INNER) / 2, (1 - _RING_INNER) / 2
        _blend(patch, np.abs(np.hypot(u, v) - middle) - half, edge, _RING)


def _blend(patch: np.ndarray, distance: np.ndarray, edge: float, colour: tuple[int, int, int]) -> None:
    import numpy as np

    cover = np.clip(0.5 - distance / edge, 0, 1)[..., None]
    patch *= 1 - cover
    patch += cover * np.array(colour, float)


def _distance(kind: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Signed distance (negative inside, approximate outside) to the outline of a class inside the unit disc."""
    import numpy as np

    radius = np.hypot(u, v)
    box = np.maximum(np.abs(u), np.abs(v))
    distance: np.ndarray
    match kind:
        case 0:
            distance = radius - 0.9
        case 1:
            distance = box - 0.75
        case 2:
            distance = np.maximum(0.866 * np.abs(u) + 0.5 * v, -v) - 0.5
        case 3:
            distance = np.minimum(np.maximum(np.abs(u) - 0.25, np.abs(v) - 0.95), np.maximum(np.abs(v) - 0.25, np.abs(u) - 0.95))
        case 4:
            distance = (1.6 * np.abs(u) + np.abs(v) - 1.0) / 1.887
        case 5:
            distance = np.maximum(np.abs(u) - 0.95, np.abs(v) - 0.35)
        case 6:
            distance = np.abs(box - 0.6) - 0.2
        case _:
            distance = np.hypot(np.abs(u) - 0.5, np.abs(v) - 0.5) - 0.36
    return distance


def _voc(folder: str, stem: str, size: int, name: str, box: tuple[int, int, int, int]) -> str:
    """A PASCAL VOC annotation; VOC counts pixels from 1."""
    corners = "".join(f"<{tag}>{value + 1}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return (
        f"<annotation>\n  <folder>{folder}</folder>\n  <filename>{stem}.png</filename>\n"
        f"  <size><width>{size}</width><height>{size}</height><depth>3</depth></size>\n"
        f"  <object><name>{name}</name><difficult>0</difficult><bndbox>{corners}</bndbox></object>\n</annotation>\n"
    )
