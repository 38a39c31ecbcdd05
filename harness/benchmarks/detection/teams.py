"""Scenes in which context decides: gloves whose team a distant player tells, and coins that lie half upon each other.

One or two players wear the colour of a team and stand at one side of the image. Gloves of both teams look alike, and lie at least
:data:`GAP` pixels away from every player: whose they are follows from the players in the picture. Coins lie alone or in pairs whose
boxes overlap by more than a half, where non-maximum suppression takes one of the two for a duplicate.

The images are written with their annotations as COCO JSON (``train/*.png``, ``annotations/train.json``, ...).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.images import write_image

if TYPE_CHECKING:
    import numpy as np

CLASSES = ("red-player", "blue-player", "red-glove", "blue-glove", "coin")
_RED, _BLUE, _RED_GLOVE, _BLUE_GLOVE, _COIN = range(5)
GAP = 34
"""Least distance in pixels between a player and a glove, for images of 96 pixels and more."""

_COLOURS = ((206, 66, 58), (62, 96, 208))
_LEATHER = (176, 134, 84)
_GOLD = (222, 190, 70)
_PAIRED = (0.56, 0.68)
"""Overlap (IoU) of two coins of a pair."""

Box = tuple[float, float, float, float]


def generate_teams(out: Path, counts: Mapping[str, int], *, size: int, seed: int = 0, cue: bool = True, pairs: float = 0.5) -> None:
    """Write a dataset into the folder ``out``; the same arguments write the same bytes.

    Args:
        counts: split -> number of images, half of each team; the first split has the same ones whatever follows, and so on.
        size: side of the square images in pixels.
        seed: another seed gives other scenes.
        cue: whether the player's team is that of the gloves; without it no model can do better than guess.
        pairs: share of the coins that lie on another one.
    """
    import numpy as np

    (out / "annotations").mkdir(parents=True)
    for number, (split, count) in enumerate(counts.items()):
        (out / split).mkdir()
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for index in range(count):
            rng = np.random.default_rng([seed, number, index])
            image, objects = _scene(rng, size, team=index % 2, cue=cue, pairs=pairs)
            name = f"{index:05d}.png"
            write_image(out / split / name, image)
            images.append({"id": index + 1, "file_name": name, "width": size, "height": size})
            annotations += [_annotation(index + 1, len(annotations) + place, *one) for place, one in enumerate(objects, 1)]
        categories = [{"id": label + 1, "name": name} for label, name in enumerate(CLASSES)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (out / "annotations" / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def _annotation(image: int, number: int, label: int, box: Box) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    bbox = [x0, y0, x1 - x0, y1 - y0]
    return {"id": number, "image_id": image, "category_id": label + 1, "bbox": bbox, "area": bbox[2] * bbox[3], "iscrowd": 0}


def _scene(rng: np.random.Generator, size: int, *, team: int, cue: bool, pairs: float) -> tuple[np.ndarray, list[tuple[int, Box]]]:
    """One (size, size, 3) uint8 RGB image and its objects: label and box."""
    import numpy as np

    image = _turf(rng, size)
    free = np.ones((size, size), bool)
    objects: list[tuple[int, Box]] = []

    # drawn with the player at the top, and turned at the end
    shown, lowest = team if cue else int(rng.integers(2)), 0.0
    for half in range(2):
        height, width = (float(side) for side in rng.uniform(0.21, 0.25, 2) * size)
        x = float(rng.uniform(1, size / 2 - width - 1)) + half * size / 2
        y = float(rng.uniform(1, 0.28 * size - height))
        if half == 0 or rng.random() < 0.5:
            objects.append((shown, _player(image, (x, y, x + width, y + height), _COLOURS[shown])))
            _occupy(free, objects[-1][1])
            lowest = max(lowest, y + height)

    far = int(lowest + GAP) if size >= 96 else size // 2
    for _ in range(int(rng.integers(3, 6))):
        side = float(rng.uniform(0.095, 0.12)) * size
        if place := _place(rng, free, side, far):
            objects.append((_RED_GLOVE + team, _glove(image, place, side, float(rng.uniform(0, 2 * np.pi)))))
            _occupy(free, objects[-1][1])
    for _ in range(int(rng.integers(1, 4))):
        side = float(rng.uniform(0.13, 0.17)) * size
        pair = rng.random() < pairs
        shift = side * _shift(float(rng.uniform(*_PAIRED))) if pair else 0.0
        turn = float(rng.uniform(0, 2 * np.pi))
        dx, dy = shift * np.cos(turn), shift * np.sin(turn)
        if not (place := _place(rng, free, side + 2 * shift, 0)):
            continue
        middle = (place[0] + side / 2 + shift, place[1] + side / 2 + shift)
        coins = [_coin(image, (middle[0] - dx / 2, middle[1] - dy / 2), side / 2)]
        if pair:
            coins.append(_coin(image, (middle[0] + dx / 2, middle[1] + dy / 2), side / 2))
        for box in coins:
            objects.append((_COIN, box))
            _occupy(free, box)
    turns = int(rng.integers(4))
    noisy = np.clip(image + rng.normal(0, 7, image.shape), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.rot90(noisy, turns)), [(label, _turned(box, size, turns)) for label, box in objects]


def _turned(box: Box, size: int, turns: int) -> Box:
    """Where a box is after quarter turns to the left."""
    for _ in range(turns):
        x0, y0, x1, y1 = box
        box = (y0, size - x1, y1, size - x0)
    return tuple(round(value, 2) for value in box)  # type: ignore[return-value]  # four of four


def _shift(overlap: float) -> float:
    """How far apart two squares of side 1 lie along a diagonal that turns freely, so that their IoU is about ``overlap``."""
    common = 2 * overlap / (1 + overlap)
    # moved by s at an angle of a: common = (1 - s |cos a|)(1 - s |sin a|), whose mean over the angles is about 1 - 4 s / π + s² / π
    return float((4 - (16 - 4 * (1 - common) * 3.1416) ** 0.5) / 2)


def _turf(rng: np.random.Generator, size: int) -> np.ndarray:
    import cv2
    import numpy as np

    image = np.array((86.0, 118.0, 84.0)) + rng.normal(0, 8, (size, size, 3)) + rng.normal(0, 8, 3)
    for cells, strength in ((4, 12.0), (12, 10.0)):
        image += cv2.resize(rng.normal(0, strength, (cells, cells, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
    return image


def _occupy(free: np.ndarray, box: Box, margin: int = 2) -> None:
    x0, y0, x1, y1 = (round(value) for value in box)
    free[max(y0 - margin, 0) : y1 + margin, max(x0 - margin, 0) : x1 + margin] = False


def _place(rng: np.random.Generator, free: np.ndarray, side: float, top: int) -> tuple[float, float] | None:
    """Upper left corner of a free square below ``top``; ``None`` where 60 tries found none."""
    size = free.shape[0]
    for _ in range(60):
        if size - side - 1 <= max(top, 1):
            return None
        x, y = float(rng.uniform(1, size - side - 1)), float(rng.uniform(max(top, 1), size - side - 1))
        if free[int(y) : int(y + side) + 1, int(x) : int(x + side) + 1].all():
            return x, y
    return None


def _blend(image: np.ndarray, distance: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Paint where the signed distance in pixels is negative."""
    import numpy as np

    cover = np.clip(0.5 - distance, 0, 1)[..., None]
    image *= 1 - cover
    image += cover * np.array(colour, float)


def _grid(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return columns + 0.5, rows + 0.5


def _player(image: np.ndarray, box: Box, colour: tuple[int, int, int]) -> Box:
    """A shirt with a seam and a head."""
    import numpy as np

    x, y = _grid(image)
    x0, y0, x1, y1 = box
    middle, radius = (x0 + x1) / 2, (y1 - y0) * 0.17
    body = np.maximum(np.maximum(x0 - x, x - x1), np.maximum(y0 + 2 * radius - y, y - y1))
    _blend(image, body, colour)
    _blend(image, np.maximum(body, np.abs(x - middle) - 1), (238, 238, 238))
    _blend(image, np.hypot(x - middle, y - y0 - radius) - radius, (226, 184, 150))
    return box


def _glove(image: np.ndarray, place: tuple[float, float], side: float, angle: float) -> Box:
    """A disc with a thumb, of one colour for both teams."""
    import numpy as np

    x, y = _grid(image)
    half = side / 2
    cx, cy = place[0] + half, place[1] + half
    thumb = np.hypot(x - cx - 0.62 * half * np.cos(angle), y - cy - 0.62 * half * np.sin(angle)) - 0.38 * half
    palm = np.hypot(x - cx, y - cy) - 0.72 * half
    _blend(image, np.minimum(palm, thumb) - 0.8, (60, 44, 30))
    _blend(image, np.minimum(palm, thumb), _LEATHER)
    return cx - half, cy - half, cx + half, cy + half


def _coin(image: np.ndarray, centre: tuple[float, float], radius: float) -> Box:
    """A disc with a rim, drawn over what lies below."""
    import numpy as np

    x, y = _grid(image)
    far = np.hypot(x - centre[0], y - centre[1])
    _blend(image, far - radius, (92, 70, 20))
    _blend(image, far - radius + 1.6, _GOLD)
    return centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius
