"""Sign boards seen from elsewhere, among other things, in the layout of revisited Oxford and Paris.

A board has four marks of any shape and colour on a dark ground, and no two boards are alike. Queries are cut to a board; on an image of the
database it is one of several things, since single marks of the same shapes and colours lie about. How hard an image is follows from
how it was made: *easy* ones show the board large, upright and in good light; *hard* ones small, turned, foreshortened, in poor light
and with a mark over one of its four; on *junk* it is so small that nobody could tell. The training images show other boards.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from harness.benchmarks import scenes
from harness.benchmarks.base import Format, Split
from harness.benchmarks.classification.readers import image_folder
from harness.benchmarks.image_retrieval.options import RetrievalData
from harness.benchmarks.image_retrieval.readers import revisited
from harness.benchmarks.image_retrieval.readers.searched import Searched
from harness.benchmarks.options import GeneratedData
from harness.benchmarks.scene_options import Count
from harness.images import write_image

if TYPE_CHECKING:
    import numpy as np


Mark = tuple[int, int]
"""Its shape and its colour."""
Board = tuple[Mark, ...]
"""Of four marks, row by row."""

_IMAGES, _ANNOTATION = "jpg", "gnd.json"
_GROUND, _RIM = (34, 36, 44), (210, 206, 196)
"""Colours of a board."""
_DRAWN = 96
"""Pixels of a board's side before it is seen from somewhere."""


@dataclass(frozen=True)
class View:
    """From where a board is seen, and how well."""

    side: tuple[float, float]
    """Least and most of the board's side, as a share of the image's."""
    turn: float
    """Degrees by which it is turned at most."""
    skew: float
    """Share of its side by which a corner is moved at most."""
    light: tuple[float, float]
    hidden: bool = False
    """Whether a mark lies over one of its four."""


VIEWS = {
    "easy": View((0.5, 0.62), 8, 0.04, (0.9, 1.1)),
    "hard": View((0.28, 0.4), 40, 0.14, (0.6, 1.0), hidden=True),
    "junk": View((0.1, 0.13), 40, 0.14, (0.5, 0.8)),
}


class SyntheticData(GeneratedData, RetrievalData):
    """Sign boards, see :mod:`harness.benchmarks.image_retrieval.synthetic`."""

    format: Literal["synthetic"]
    train: int = Field(default=960, ge=8, le=1 << 20)
    """Number of training images, half of them easy and half hard."""
    classes: int = Field(default=48, ge=2, le=1 << 12)
    """Boards on the training images, and on those for validation."""
    test: int = Field(default=24, ge=1, le=1 << 12)
    """Boards that are looked for."""
    val: int | None = Field(default=144, ge=0, le=1 << 20)
    """Number of images for validation: of the training images' boards."""
    queries: int = Field(default=2, ge=1, le=1 << 8)
    """Queries for each board."""
    easy: int = Field(default=4, ge=1, le=1 << 8)
    """Images of the database that show a board so that it is easy to find."""
    hard: int = Field(default=6, ge=1, le=1 << 8)
    """Those that show it so that it is hard to find."""
    junk: int = Field(default=2, ge=0, le=1 << 8)
    """Images of the database that show a board so small that they do not count."""
    others: int = Field(default=144, ge=1, le=1 << 20)
    """Images of the database that show boards nobody looks for, each another one, half easy and half hard."""
    clutter: tuple[Count, Count] = (3, 5)
    """Fewest and most single marks beside a board."""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> SyntheticData:
        if self.clutter[0] > self.clutter[1]:
            raise ValueError(f"clutter: the first is the least; write [{self.clutter[1]}, {self.clutter[0]}]")
        return self

    @property
    def class_names(self) -> list[str]:
        return [f"board-{number:03d}" for number in range(self.classes)]

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def splits(self) -> dict[Split, str]:
        return {"train": "train", **({"val": "val"} if self.validating else {})}


def read(root: Path, data: SyntheticData) -> Searched:
    """List training images, queries and database."""
    listing = Searched.trained_on(image_folder.read(root, data))
    revisited.test(root, _IMAGES, _ANNOTATION, listing)
    return listing


def generate(data: SyntheticData, out: Path) -> None:
    """Write the dataset into the folder ``out``; the same options write the same bytes."""
    import numpy as np

    boards = _boards(np.random.default_rng([data.seed, 0]), data.classes + data.test + data.others)
    learned, asked, others = boards[: data.classes], boards[data.classes : -data.others], boards[-data.others :]
    for number, (split, count) in enumerate((("train", data.train), ("val", data.validating)), start=1):
        for index in range(count):
            label = index % data.classes
            folder = out / split / data.class_names[label]
            folder.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng([data.seed, number, index])
            view = VIEWS["easy" if (index // data.classes) % 2 else "hard"]
            write_image(folder / f"{index:05d}.png", seen(rng, learned[label], view, data)[0])
    made: list[tuple[str, Board, str]] = []
    for place, board in enumerate(asked):
        made += [(kind, board, str(place)) for kind in VIEWS for _ in range(getattr(data, kind))]
    made += [("hard" if index % 2 else "easy", board, "") for index, board in enumerate(others)]
    # equally similar images come in the database's order, so that it must tell nothing
    order = np.random.default_rng([data.seed, 3]).permutation(len(made))
    folder = out / _IMAGES
    folder.mkdir(parents=True)
    truth: list[dict[str, list[int]]] = [{kind: [] for kind in VIEWS} for _ in asked]
    for index, source in enumerate(order):
        kind, board, place = made[source]
        write_image(folder / f"{index:05d}.png", seen(np.random.default_rng([data.seed, 4, index]), board, VIEWS[kind], data)[0])
        if place:
            truth[int(place)][kind].append(index)
    names, gnd = [], []
    for place, board in enumerate(asked):
        for index in range(data.queries):
            rng = np.random.default_rng([data.seed, 5, place, index])
            image, box = seen(rng, board, VIEWS["easy"], data)
            names.append(f"board_{place:03d}_{index}")
            write_image(folder / f"{names[-1]}.png", image)
            gnd.append({"bbx": box, **truth[place]})
    annotation = {"imlist": [f"{index:05d}" for index in range(len(made))], "qimlist": names, "gnd": gnd}
    (out / _ANNOTATION).write_text(json.dumps(annotation), encoding="utf-8")


def _boards(rng: np.random.Generator, count: int) -> list[Board]:
    """So many boards, no two of them alike."""
    found: dict[Board, None] = {}
    while len(found) < count:
        found[_any_marks(rng, 4)] = None
    return [*found]


def _any_marks(rng: np.random.Generator, count: int) -> Board:
    return tuple((int(shape), int(colour)) for shape, colour in rng.integers(0, len(scenes.CLASSES), (count, 2)))


def seen(rng: np.random.Generator, board: Board, view: View, data: SyntheticData) -> tuple[np.ndarray, list[float]]:
    """A board among single marks: (size, size, 3) uint8 RGB, and the box around the board, x0, y0, x1, y1 in pixels."""
    import cv2
    import numpy as np

    size = data.size
    image = scenes.background(rng, size)
    side = size * float(rng.uniform(*view.side))
    angle = np.deg2rad(float(rng.uniform(-view.turn, view.turn)))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2 + rng.uniform(-1, 1, (4, 2)) * view.skew * side
    corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    corners += rng.uniform(-low, np.maximum(size - high, -low))
    for _ in range(int(rng.integers(data.clutter[0], data.clutter[1] + 1))):
        width = round(size * float(rng.uniform(0.12, 0.2)))
        _mark(image, rng.integers(0, size - width + 1, 2), width, _any_marks(rng, 1)[0], float(rng.uniform(0, 2 * np.pi)))
    drawn = _drawn(board)
    if view.hidden:
        width = _DRAWN // 2
        _mark(drawn, rng.integers(0, 2, 2) * width, width, _any_marks(rng, 1)[0], float(rng.uniform(0, 2 * np.pi)))
    flat = np.array([[0, 0], [_DRAWN, 0], [_DRAWN, _DRAWN], [0, _DRAWN]], np.float32)
    warp = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    # larger first, and shrunk then, since a warp reads four pixels for each
    fine = 4
    larger = np.diag([fine, fine, 1.0]) @ warp
    board_seen, covered = (
        cv2.resize(cv2.warpPerspective(some, larger, (fine * size, fine * size)), (size, size), interpolation=cv2.INTER_AREA)
        for some in (drawn, np.ones((_DRAWN, _DRAWN)))
    )
    image = image * (1 - covered[..., None]) + board_seen * float(rng.uniform(*view.light))
    image += rng.normal(0, 6, image.shape)
    box = [*np.clip(corners.min(axis=0), 0, size).round(1).tolist(), *np.clip(corners.max(axis=0), 0, size).round(1).tolist()]
    return np.clip(image, 0, 255).astype(np.uint8), box


def _drawn(board: Board) -> np.ndarray:
    """A board from straight ahead, (side, side, 3) float."""
    import numpy as np

    drawn = np.full((_DRAWN, _DRAWN, 3), _RIM, float)
    rim = _DRAWN // 24
    drawn[rim:-rim, rim:-rim] = _GROUND
    half = _DRAWN // 2
    for place, mark in enumerate(board):
        _mark(drawn, np.array([place % 2, place // 2]) * half, half, mark, 0.0)
    return drawn


def _mark(image: np.ndarray, at: np.ndarray, side: int, mark: Mark, angle: float) -> None:
    """Draw a mark into the square at (x, y)."""
    import numpy as np

    (x, y), (shape, colour) = map(int, at), mark
    covered = scenes.cover(side, shape, angle)[..., None]
    patch = image[y : y + side, x : x + side]
    patch *= 1 - covered
    patch += covered * np.array(scenes.COLOURS[colour], float)


FORMAT = Format(SyntheticData, read, generate)
