"""Attention maps and predictions of the methods of a benchmark over the same test image, as small pictures within the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.analysis import artifacts
from harness.analysis.artifacts import Picture
from harness.analysis.board import Board, Row
from harness.errors import DataError

MOST = 8 << 20
"""Bytes that all pictures of a page take at most."""

_WIDEST = 1200
"""Pixels; wider pictures are made smaller."""

_TRAJECTORIES = "trajectories.png"


@dataclass(frozen=True)
class Shown:
    """A picture."""

    method: str
    seed: int
    source: str
    """A ``data:`` URL; only pixels travel in it, whatever else the file holds."""
    width: int
    height: int


@dataclass(frozen=True)
class Gallery:
    """Pictures of one kind."""

    benchmark: str
    title: str
    shown: tuple[Shown, ...]
    damaged: tuple[str, ...]
    """What cannot be shown, and why."""


def galleries(url: str, board: Board) -> tuple[list[Gallery], int]:
    """Pictures of each method's first seed, by benchmark, and how many had no room.

    Of each benchmark the first test image that was pictured is shown, and of camera poses the trajectories of the best methods. Each
    gallery has its share of :data:`MOST`, and what those before it left.

    Args:
        url: of the database; pictures are looked for beside it (:mod:`harness.analysis.artifacts`).
    """
    wanted = [(rows[0].benchmark, title, pictures) for rows in board.parted()[0] for title, pictures in _of(url, rows)]
    found, over, room = [], 0, MOST
    for place, (benchmark, title, pictures) in enumerate(wanted):
        share = room // (len(wanted) - place)
        shown: list[Shown] = []
        damaged: list[str] = []
        for row, picture in pictures:
            try:
                one = _shown(row, picture)
            except DataError as error:
                damaged.append(f"{row.method}, seed {row.seeds[0]}: {error}")
                continue
            if len(one.source) > share:
                over += 1
                continue
            share, room = share - len(one.source), room - len(one.source)
            shown.append(one)
        found.append(Gallery(benchmark, title, tuple(shown), tuple(damaged)))
    return found, over


def _of(url: str, rows: Sequence[Row]) -> Iterable[tuple[str, list[tuple[Row, Picture]]]]:
    """(title, method and picture) of a benchmark: its first pictured image, and trajectories."""
    firsts = [row for row in rows if row.primary and row.digests]
    left = [(row, picture) for row in firsts for picture in artifacts.pictures(url, row.digests[0])]
    for what, attention in (("attention over", True), ("predictions on", False)):
        of_images = [(row, one) for row, one in left if one.image is not None and one.attention is attention]
        image = min((one.image or 0 for _, one in of_images), default=None)
        if image is not None:
            yield f"{what} test image {image}", [(row, one) for row, one in of_images if one.image == image]
    if found := [(row, one) for row, one in left if one.name == _TRAJECTORIES]:
        yield "camera trajectories", found[:3]


def _shown(row: Row, picture: Picture) -> Shown:
    """A picture that was opened whole and is written anew.

    Raises:
        DataError: it cannot be read.
    """
    from PIL import Image

    with Image.open(io.BytesIO(artifacts.read(picture))) as opened:
        image = opened.convert("RGB")
    image.thumbnail((_WIDEST, _WIDEST))
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=82, method=4)
    return Shown(row.method, row.seeds[0], f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}", *image.size)
