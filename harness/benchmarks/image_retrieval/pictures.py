"""Queries with what is right for them, and with what a model found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import images
from harness.benchmarks.base import Sample, relative
from harness.benchmarks.classification.readers.labelled import Labelled
from harness.benchmarks.image_retrieval.options import RetrievalData
from harness.benchmarks.image_retrieval.readers.searched import Box, Query, Searched, boxed
from harness.diagnostics.maps import Marks
from harness.diagnostics.places import looked_at

if TYPE_CHECKING:
    import numpy as np

    from harness.images import Decoding

RIGHT, HARD, WRONG, JUNK, ASKED = (46, 160, 67), (214, 158, 46), (207, 48, 48), (140, 140, 146), (58, 110, 214)
"""Frames: of a right image (an easy one, where these are told apart), a hard one, a wrong one, one that does not count, the query."""

_SIDE, _FRAME, _GROUND = 192, 8, 24


@dataclass(frozen=True)
class Result:
    """A query, and the first images that were found for it."""

    file: Path
    box: Box | None
    found: list[tuple[Path, bool]]
    """With whether each is right."""
    score: float
    """Average precision (%), NaN where nothing is right."""


def pixels(sample: Labelled, decoding: Decoding) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an image, a query cut to its box."""
    return cut(sample.file, sample.box if isinstance(sample, Query) else None, decoding)


def cut(file: Path, box: Box | None, decoding: Decoding) -> np.ndarray:
    """(H, W, 3) uint8 RGB of the part of an image that lies in ``box``."""
    image = images.read_rgb(file, decoding)
    if box is None:
        return image
    x0, y0, x1, y1 = boxed(box, image.shape[1], image.shape[0])
    return image[y0:y1, x0:x1]


def samples(_root: Path, data: RetrievalData, listing: Searched, count: int) -> list[Sample]:
    """Queries spread over all of them, below each an easy image, a hard one and junk, as far as there are any; then the database."""
    import numpy as np

    test, decoding = listing.split("test"), listing.decoding(data)
    shown = []
    for place in looked_at(len(listing.queries), count):
        query = listing.queries[place]
        image, relevance = pixels(query, decoding), query.relevance
        kinds = [(RIGHT, "easy", relevance.easy), (HARD, "hard", relevance.hard), (JUNK, "junk", relevance.junk)]
        kinds = kinds if data.graded else [(RIGHT, "right", relevance.easy)]
        below = [tile(pixels(listing.database[places[0]], decoding) if places else None, colour) for colour, _, places in kinds]
        caption = ", ".join(f"{len(places)} {name}" for _, name, places in kinds)
        column = np.concatenate([tile(image, ASKED), *below])
        shown.append(Sample(relative(query.file, listing.root), tile(image), images.label_strip(column, caption), caption))
    for sample in test[len(listing.queries) :][: count - len(shown)]:
        image = tile(pixels(sample, decoding))
        shown.append(Sample(relative(sample.file, listing.root), image, images.label_strip(image, "database"), "database"))
    return shown


def results(rows: Sequence[Result], decoding: Decoding) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a row for each query, what was found to its right, framed by whether it is right."""
    import numpy as np

    most = max(len(row.found) for row in rows)
    lines = []
    for row in rows:
        tiles = [tile(cut(row.file, row.box, decoding), ASKED)]
        tiles += [tile(images.read_rgb(file, decoding), RIGHT if right else WRONG) for file, right in row.found]
        tiles += [tile(None)] * (1 + most - len(tiles))
        text = "nothing is right" if math.isnan(row.score) else f"average precision {row.score:.0f} %"
        lines.append(images.label_strip(np.concatenate(tiles, axis=1), text))
    return np.concatenate(lines)


def tile(image: np.ndarray | None, frame: tuple[int, int, int] | None = None) -> np.ndarray:
    """An image in a square for people, its proportions kept, in a frame; ``None`` is an empty one."""
    import cv2
    import numpy as np

    square = np.full((_SIDE, _SIDE, 3), frame or (_GROUND,) * 3, np.uint8)
    inner = square[_FRAME:-_FRAME, _FRAME:-_FRAME]
    inner[:] = _GROUND
    if image is not None:
        height, width = image.shape[:2]
        scale = len(inner) / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
        x, y = (len(inner) - size[0]) // 2, (len(inner) - size[1]) // 2
        inner[y : y + size[1], x : x + size[0]] = small
    return square


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """How many images are right for a tested query, and how well they were found, in words; nothing of an image that is none."""
    (metric,) = evaluator.metrics
    place, relevant = int(sample.sample_idx), evaluator.dataset_meta["relevant"]
    if place >= len(relevant):
        return Marks(), Marks()
    right = len(relevant[place].easy) + len(relevant[place].hard)
    return Marks(text=f"{right} images are right"), Marks(text=f"average precision {metric.score(place):.0f} %")
