"""Which pictures belong together by their names: versions of one photo, tiles of a large picture, frames of a video."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, combinations
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

if TYPE_CHECKING:
    from harness.benchmarks.base import Listing

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
    if pattern is not None and (said := _said(name, pattern)):
        return said
    path = PurePosixPath(name)
    known = next((found for one in _KNOWN if (found := one.fullmatch(path.stem))), None)
    return str(path.with_name(known[1])) if known else None


def _said(name: str, pattern: str) -> str | None:
    found = re.search(pattern, name)
    return found[1] or None if found else None


def name_of(file: Path, listing: Listing[Any]) -> str:
    """A picture's path from the dataset's folder, with forward slashes."""
    if file.parent in listing.unpacked:  # wherever the cache lies
        return f"{file.parent.name}/{file.name}"
    return file.relative_to(listing.root).as_posix() if file.is_relative_to(listing.root) else file.as_posix()


_OPTION = "data.together"


def tell_fit(listing: Listing[Any], pattern: str, names: Iterable[str], divided: Iterable[str]) -> None:
    """Note a pattern that does not say what hangs together: it fits no name, not all of those that are divided, or all alike.

    Args:
        names: of all pictures.
        divided: of those that are not in a split of the dataset's own for good.
    """
    names, divided = sorted({*names}), sorted({*divided})
    if not names or any(problem.where == _OPTION for problem in listing.problems):
        return
    said = {name: _said(name, pattern) for name in names}
    groups = {*said.values()}
    if groups == {None}:
        mend = "it is searched in paths from the dataset's folder on, which is where ^ is, and capitals are other letters: correct it"
        listing.add(_OPTION, f"{pattern} fits none of {len(names)} images, e.g. '{names[0]}'", f"{mend}, or take it out")
    elif len(groups) == 1 and len(names) > 1:
        what = f"all {len(names)} images hang together, as '{said[names[0]]}': none can be tested without those that are trained on"
        listing.add(_OPTION, what, "put parentheses around what differs from group to group, the number of the video, say, or take it out")
    elif alone := [name for name in divided if group_of(name, pattern) is None]:
        what = f"{pattern} fits {len(divided) - len(alone)} of {len(divided)} images, and not '{alone[0]}', say"
        listing.add(_OPTION, what, "let it fit the others, too, unless each of them stands alone", fatal=False)


def tell(listing: Listing[Any], pattern: str, splits: dict[str, set[Path]]) -> None:
    """The same of what a reader found, and groups that the dataset's own splits part.

    Args:
        splits: what a split is called -> its pictures; that of training comes first.
    """
    if any(problem.fatal for problem in listing.problems):
        return
    names = {split: sorted(name_of(file, listing) for file in files) for split, files in splits.items()}
    tell_fit(listing, pattern, chain(*names.values()), next(iter(names.values())))
    if any(problem.fatal for problem in listing.problems):
        return
    found: dict[str, dict[str, str]] = {}
    for split, some in names.items():
        for name in some:
            if said := _said(name, pattern):
                found.setdefault(said, {}).setdefault(split, name)
    for one, other in combinations(splits, 2):
        both = [group for group, of in found.items() if {one, other} <= of.keys()]
        if both and not (listing.same_twice and splits[one] == splits[other]):
            first, there = found[both[0]][one], found[both[0]][other]
            what = f"{len(both)} of {len(found)} groups are in {one} and {other}, e.g. '{both[0]}' with '{first}' and '{there}'"
            mend = "let the lists or folders of the splits part groups, not images; or let the parentheses hold more of the path"
            listing.add(_OPTION, what, mend, fatal=False)
