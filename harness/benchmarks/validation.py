"""A validation split for datasets that bring none: some of the training samples, chosen by a hash of their names.

Samples that hang together stay together: all of one picture, all frames of a sequence, copies and versions of a picture. Which are
chosen depends on names alone and not on the order in which they were listed, so that it is the same on every machine.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.benchmarks.groups import group_of, name_of
from harness.digests import contents

if TYPE_CHECKING:
    from harness.benchmarks.base import Listing

FEWEST = 20
"""Training samples below which none is held out: so few tell nothing, and training needs them."""


def hold_out(listing: Listing[Any], share: float, pattern: str | None = None) -> None:
    """Move about ``share`` of the training samples into ``listing.val``, where that is empty.

    Of each stratum (a class, a scene) alike, of which none loses all of its samples. Frames of videos are held out by whole
    sequences, or where each of these is too large a part, as the last block. What is tested, too, or cannot be scored stays. The
    share is one of what can be scored: CorLoc's threshold is chosen on the rest of that, as little as it may be.

    Args:
        share: below one half; 0 leaves the listing as it is.
        pattern: says by names what hangs together, rather than folders of videos.
    """
    if not share or listing.val or len(listing.train) < FEWEST or any(problem.fatal for problem in listing.problems):
        return
    parts = _Parts(listing, pattern)
    chosen = _chosen(parts, share, by_folders=listing.videos and pattern is None)
    chosen -= _copied(parts, chosen)
    if not chosen:
        return
    listing.val = [sample for sample in listing.train if parts.of(sample) in chosen]
    listing.train = [sample for sample in listing.train if parts.of(sample) not in chosen]


class _Parts:
    """What is held out as one or not at all, by a path that need not exist: a picture, or a group of them.

    Attributes:
        names: path -> the name that is hashed.
    """

    def __init__(self, listing: Listing[Any], pattern: str | None):
        self.listing, self._pattern = listing, pattern
        self._known: dict[Path, Path] = {}
        self.names = {part: name_of(part, listing) for part in map(self.of, listing.train)}

    def of(self, sample: Any) -> Path:
        """The part that a sample belongs to."""
        file = self.listing.together(sample)
        if file not in self._known:
            group = group_of(name_of(file, self.listing), self._pattern)
            self._known[file] = file if group is None else self.listing.root / group
        return self._known[file]

    def files(self) -> dict[Path, Path]:
        """Picture -> its part, of all that are trained on."""
        return {self.listing.together(sample): self.of(sample) for sample in self.listing.train}


def _chosen(parts: _Parts, share: float, *, by_folders: bool) -> set[Path]:
    listing, names = parts.listing, parts.names
    tested = {*map(parts.of, listing.test)}
    counts: dict[Path, int] = defaultdict(int)
    strata: dict[Path, set[Hashable]] = defaultdict(set)
    unscored: set[Path] = set()
    for sample in listing.train:
        file = parts.of(sample)
        counts[file] += 1
        strata[file].add(listing.stratum(sample))
        if not listing.is_scored(sample):
            unscored.add(file)
    kept = unscored | tested
    pictures: dict[Hashable, list[Path]] = defaultdict(list)
    for file in sorted(names, key=lambda file: natural(names[file])):
        pictures[frozenset(strata[file])].append(file)
    chosen: set[Path] = set()
    for files in pictures.values():
        wanted = share * sum(counts[file] for file in files if file not in unscored)
        free = [file for file in files if file not in kept]
        if by_folders:
            folders: dict[str, list[Path]] = defaultdict(list)
            for file in files:
                folders[names[file].rpartition("/")[0]].append(file)
            whole = {name: some for name, some in folders.items() if kept.isdisjoint(some)}
            found = _first({_hash(name): some for name, some in whole.items()}, counts, wanted)
            chosen |= found or _first({str(place).zfill(9): [file] for place, file in enumerate(reversed(free))}, counts, wanted)
        else:
            chosen |= _first({_hash(names[file]): [file] for file in free}, counts, wanted)
    return chosen


def _first(groups: dict[str, list[Path]], counts: dict[Path, int], wanted: float) -> set[Path]:
    """The groups that come first by their keys, as long as that brings the number of samples nearer to ``wanted``."""
    chosen: set[Path] = set()
    held = 0
    for _, files in sorted(groups.items()):
        size = sum(counts[file] for file in files)
        if held + size / 2 <= wanted:
            chosen.update(files)
            held += size
    return chosen


def _copied(parts: _Parts, chosen: set[Path]) -> set[Path]:
    """Of the chosen parts those in which there is a copy of a picture of another part."""
    files = parts.files()
    mine, others = ([file for file, part in files.items() if (part in chosen) == inside] for inside in (True, False))
    digests = contents((mine, others))
    known = {digests[file] for file in others if file in digests}
    return {files[file] for file in mine if digests.get(file) in known}


def _hash(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def natural(name: str) -> list[tuple[int, str]]:
    """Sorts names with numbers in them by these: ``2.png`` before ``10.png``."""
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
