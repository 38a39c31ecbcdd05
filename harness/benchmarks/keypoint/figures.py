"""Articulated figures, partly covered: a keypoint task that local evidence cannot solve.

Every image shows one figure in front of a textured background: head, trunk, and four limbs of two segments
each. The limbs of a pair mirror each other across the trunk. A patch of noise covers the outer half of one arm
and of one leg, chosen at random, so that the joints below it can be found only from their partners on the other
side of the body, by reflecting them in the trunk's axis. Covered joints are labelled like all others and flagged
1 in COCO's way, visible ones 2.

With ``pair``, two figures stand side by side, one of either colour, and a banner at the one or the other end of the image has the
colour of the one whose joints are asked for: nothing nearer to a joint tells whether it counts.

Written in COCO's layout: ``train/*.png``, ``annotations/train.json``, and so on for the other splits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.images import write_image

if TYPE_CHECKING:
    import numpy as np

NAMES = (
    "head", "neck", "hip",
    "left_elbow", "left_hand", "right_elbow", "right_hand",
    "left_knee", "left_foot", "right_knee", "right_foot",
)  # fmt: skip

BONES = (
    ("head", "neck"), ("neck", "hip"),
    ("neck", "left_elbow"), ("left_elbow", "left_hand"), ("neck", "right_elbow"), ("right_elbow", "right_hand"),
    ("hip", "left_knee"), ("left_knee", "left_foot"), ("hip", "right_knee"), ("right_knee", "right_foot"),
)  # fmt: skip

_COLOURS = {"head": (236, 214, 120), "neck": (225, 225, 225), "hip": (225, 225, 225), "left": (70, 130, 235), "right": (235, 110, 60)}
_PAIR = ((70, 130, 235), (235, 110, 60))  # of the limbs and trunks of two figures, and of their banner
_BANNER = 0.16  # room for the banner, as a share of the width; the half that is nearer to the figures stays empty
_DRAWN = 4  # figures are drawn this many times larger and averaged down
_LENGTH = {"head": 0.11, "trunk": 0.22, "upper arm": 0.14, "lower arm": 0.14, "upper leg": 0.15, "lower leg": 0.15}  # shares of the size


def generate_figures(
    out: Path, counts: Mapping[str, int], *, size: tuple[int, int], seed: int = 0, mirrored: bool = True, pair: bool = False
) -> None:
    """Write a dataset of figures into the folder ``out``; the same arguments write the same bytes.

    Args:
        counts: split -> number of images; the first split has the same ones whatever follows, and so on.
        size: (width, height) of the images in pixels; figures are as large as the shorter side allows.
        seed: another seed gives other figures.
        mirrored: whether the limbs of a pair mirror each other; otherwise each has angles of its own, and nothing
            tells where a covered limb lies.
        pair: whether there are two figures, of which a banner names one; the image must be at least 1.4 times as wide as high.
    """
    import numpy as np

    (out / "annotations").mkdir(parents=True, exist_ok=True)
    for number, (split, count) in enumerate(counts.items()):
        (out / split).mkdir(exist_ok=True)
        images, annotations = [], []
        for index in range(count):
            image, points, covered = _scene(np.random.default_rng([seed, number, index]), size, mirrored, pair)
            name = f"{index:05d}.png"
            write_image(out / split / name, image)
            images.append({"id": index + 1, "file_name": name, "width": size[0], "height": size[1]})
            annotations.append(_annotation(index + 1, points, covered))
        content = {"images": images, "annotations": annotations, "categories": [_category()]}
        (out / "annotations" / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def _category() -> dict[str, object]:
    skeleton = [[NAMES.index(a) + 1, NAMES.index(b) + 1] for a, b in BONES]
    return {"id": 1, "name": "figure", "keypoints": list(NAMES), "skeleton": skeleton}


def _annotation(number: int, points: np.ndarray, covered: np.ndarray) -> dict[str, object]:
    low, high = points.min(axis=0), points.max(axis=0)
    width, height = high - low
    keypoints = [value for (x, y), hidden in zip(points, covered, strict=True) for value in (round(x, 2), round(y, 2), 1 if hidden else 2)]
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "bbox": [round(float(v), 2) for v in (*low, width, height)],
        "area": round(float(width * height), 2),
        "iscrowd": 0,
        "num_keypoints": len(NAMES),
        "keypoints": keypoints,
    }


def _scene(rng: np.random.Generator, size: tuple[int, int], mirrored: bool, pair: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One (H, W, 3) uint8 RGB image, the joints asked for (K, 2) in pixels and which of them are covered (K,)."""
    import cv2
    import numpy as np

    width, height = size
    unit = min(size) * float(rng.uniform(0.9, 1.1))
    banner = round(width * _BANNER) if pair else 0
    banner_left, first_asked, first_blue = (bool(draw) for draw in rng.integers(2, size=3)) if pair else (False, True, True)
    room = (width - banner) // (2 if pair else 1)
    starts = [(banner * banner_left + room * place, 0) for place in range(1 + pair)]
    figures = [_placed(rng, unit, start, (room, height), mirrored) for start in starts]
    colours = [_PAIR[first_blue ^ (place == 0)] for place in range(1 + pair)]
    canvas = np.clip(_texture(rng, height, width, 110.0), 0, 255).astype(np.uint8)
    canvas = cv2.resize(canvas, None, fx=_DRAWN, fy=_DRAWN, interpolation=cv2.INTER_LINEAR)
    for points, colour in zip(figures, colours, strict=True):
        told = dict.fromkeys(_COLOURS, colour) | {"head": _COLOURS["head"]} if pair else _COLOURS
        _draw(canvas, points * _DRAWN, max(1, round(unit * 0.045 * _DRAWN)), told)
    asked = 0 if first_asked else 1
    if pair:
        x = 0 if banner_left else width * _DRAWN - banner * _DRAWN // 2
        canvas[:, x : x + banner * _DRAWN // 2] = colours[asked]
    image = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    patches = [patch for points in figures for patch in _patches(rng, points, unit, size)]
    covered = np.zeros(len(NAMES), bool)
    for x0, y0, x1, y1 in patches:
        image[y0:y1, x0:x1] = _texture(rng, y1 - y0, x1 - x0, 95.0)
        x, y = figures[asked].T
        covered |= (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    return np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8), figures[asked], covered


def _placed(rng: np.random.Generator, unit: float, start: tuple[int, int], size: tuple[int, int], mirrored: bool) -> np.ndarray:
    """Joints (K, 2) of a figure that lies within ``size`` from ``start``."""
    import numpy as np

    while True:
        points = _pose(rng, unit, mirrored)
        low, high = points.min(axis=0) - 3, points.max(axis=0) + 3
        room = np.array(size) - (high - low)
        if (room > 0).all():
            return np.asarray(points - low + rng.uniform(0, 1, 2) * room + start)


def _patches(rng: np.random.Generator, points: np.ndarray, unit: float, size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """(x0, y0, x1, y1) of what covers the outer half of an arm and of a leg of a figure."""
    import numpy as np

    patches = []
    for upper, end in (("elbow", "hand"), ("knee", "foot")):
        side = ("left", "right")[rng.integers(2)]
        middle = (points[NAMES.index(f"{side}_{upper}")] + points[NAMES.index(f"{side}_{end}")]) / 2 + rng.uniform(-0.06, 0.06, 2) * unit
        half = unit * float(rng.uniform(0.16, 0.21))
        x0, y0, x1, y1 = (round(float(v)) for v in (*np.clip(middle - half, 0, size), *np.clip(middle + half, 0, size)))
        patches.append((x0, y0, x1, y1))
    return patches


def _pose(rng: np.random.Generator, unit: float, mirrored: bool) -> np.ndarray:
    """Joints (K, 2) of a figure whose hip is the origin, y down."""
    import numpy as np

    turn = float(rng.uniform(-0.4, 0.4))
    axis = np.array([np.sin(turn), -np.cos(turn)])  # from the hip to the neck
    side = np.array([axis[1], -axis[0]])  # to the viewer's left of an upright figure

    def step(start: np.ndarray, length: str, angle: float, sign: int) -> np.ndarray:
        """A segment at ``angle`` from straight down the trunk, turned outwards."""
        end: np.ndarray = start + unit * _LENGTH[length] * (-np.cos(angle) * axis + sign * np.sin(angle) * side)
        return end

    hip = np.zeros(2)
    neck = hip + unit * _LENGTH["trunk"] * axis
    points = {"head": neck + unit * _LENGTH["head"] * axis, "neck": neck, "hip": hip}
    arm, leg = _arm(rng), _leg(rng)
    for name, sign in (("left", 1), ("right", -1)):
        if not mirrored and sign < 0:
            arm, leg = _arm(rng), _leg(rng)
        points[f"{name}_elbow"] = step(neck, "upper arm", arm[0], sign)
        points[f"{name}_hand"] = step(points[f"{name}_elbow"], "lower arm", arm[1], sign)
        points[f"{name}_knee"] = step(hip, "upper leg", leg[0], sign)
        points[f"{name}_foot"] = step(points[f"{name}_knee"], "lower leg", leg[1], sign)
    return np.array([points[name] for name in NAMES])


def _arm(rng: np.random.Generator) -> tuple[float, float]:
    upper = float(rng.uniform(0.6, 2.1))
    return upper, upper + float(rng.uniform(-0.3, 0.8))


def _leg(rng: np.random.Generator) -> tuple[float, float]:
    upper = float(rng.uniform(0.4, 1.2))
    return upper, upper + float(rng.uniform(-0.5, 0.3))


def _draw(canvas: np.ndarray, points: np.ndarray, thickness: int, colours: Mapping[str, tuple[int, int, int]]) -> None:
    import cv2

    at = {name: tuple(round(float(v)) for v in point) for name, point in zip(NAMES, points, strict=True)}
    for a, b in BONES:
        cv2.line(canvas, at[a], at[b], colours[b.partition("_")[0]], thickness)
    cv2.circle(canvas, at["head"], round(thickness * 1.4), colours["head"], -1)


def _texture(rng: np.random.Generator, height: int, width: int, mean: float) -> np.ndarray:
    """Coloured noise at two scales, (height, width, 3) float."""
    import cv2
    import numpy as np

    image = np.full((height, width, 3), mean)
    if not image.size:
        return image
    for cells, strength in ((4, 16.0), (12, 14.0)):
        image += cv2.resize(rng.normal(0, strength, (cells, cells, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
    return image
