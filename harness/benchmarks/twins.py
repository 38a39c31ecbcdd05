"""Test pictures that look like training pictures: copies that were encoded anew or resized, which no digest of files finds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.images import THUMB, Decoding, read_rgb, thumbnail

if TYPE_CHECKING:
    import numpy as np

_RMS, _MOST = 2.0, 8.0
"""Grey levels by which the thumbnails of a picture and of its copy differ, on average and in one cell; copies of pictures of 64
pixels and more stay below them, two frames of a video in which something moves do not."""

_CONTRAST = 4.0
"""Standard deviation of a thumbnail below which it shows next to nothing, and all such are alike."""

_FINE, _MOST_FINE = 64, 48.0
"""Side of the thumbnails in which something small that has moved shows, and the most by which copies differ there."""

_CELL = 4
"""Pixels of a side that a cell of these has at least, as the noise of one pixel says nothing."""


def twins_in(train: Mapping[Path, np.ndarray], test: Mapping[Path, np.ndarray], decoding: Decoding) -> list[tuple[Path, Path]]:
    """Each test picture that is a copy of a training picture, with the most similar of these.

    Args:
        train, test: file -> its :func:`harness.images.thumbnail`.
    """
    import numpy as np
    from scipy.spatial import cKDTree

    mine, others = ([file for file, thumb in some.items() if thumb.std() >= _CONTRAST] for some in (test, train))
    if not mine or not others:
        return []
    # means over blocks of cells differ by no more than the cells do
    blocks = [
        np.stack([some[file].reshape(4, THUMB // 4, 4, -1).mean((1, 3)).ravel() for file in files])
        for some, files in ((train, others), (test, mine))
    ]
    candidates = cKDTree(blocks[0]).query_ball_point(blocks[1], _RMS * blocks[0].shape[1] ** 0.5)
    found = []
    for file, near in zip(mine, candidates, strict=True):
        apart = {others[index]: np.abs(test[file].astype(np.float32) - train[others[index]]) for index in near if others[index] != file}
        alike = {other: (cells**2).mean() for other, cells in apart.items() if (cells**2).mean() <= _RMS**2 and cells.max() <= _MOST}
        if alike and _alike_in_detail(file, nearest := min(alike, key=lambda other: alike[other]), decoding):
            found.append((file, nearest))
    return found


def _alike_in_detail(file: Path, other: Path, decoding: Decoding) -> bool:
    import numpy as np
    from PIL import Image

    first, second = (Image.fromarray(np.ascontiguousarray(read_rgb(one, decoding))) for one in (file, other))
    side = min(_FINE, max(THUMB, min(*first.size, *second.size) // _CELL))
    return bool(np.abs(thumbnail(first, side).astype(np.float32) - thumbnail(second, side)).max() <= _MOST_FINE)
