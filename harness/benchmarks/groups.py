"""Which pictures belong together by their names: versions of one photo, tiles of a large picture, frames of a video."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

_KNOWN = (re.compile(r"(.+)\.rf\.[0-9A-Za-z]{10,}"), re.compile(r"(.+?)__\d+(?:\.\d+)?__\d+___\d+"))
"""Roboflow's versions of a picture, augmented before they were exported (``IMG_1_jpg.rf.0b1f2a3c4d5e``), and the tiles of DOTA's
and MMRotate's splitters, which overlap (``P0001__1024__824___0``)."""


def _grouping(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from None
    if not groups:
        raise ValueError("has no group: put parentheses around what images that hang together have in common")
    return pattern


Grouping = Annotated[str, AfterValidator(_grouping)]
"""A regular expression whose first group is what names that belong together have in common."""


def group_of(name: str, pattern: str | None) -> str | None:
    """What the pictures that hang together with one have in common; ``None`` for one that stands alone.

    Args:
        name: its path from the dataset's folder, with forward slashes.
        pattern: ``data.together``.
    """
    if pattern is not None and (said := re.search(pattern, name)) and said[1]:
        return said[1]
    path = PurePosixPath(name)
    known = next((found for one in _KNOWN if (found := one.fullmatch(path.stem))), None)
    return str(path.with_name(known[1])) if known else None
