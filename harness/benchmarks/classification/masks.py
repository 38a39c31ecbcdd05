"""Class folders that hold masks beside the pictures: each would count as a picture of its class."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

from harness.benchmarks.base import Problem, relative
from harness.images import Decoding, read_bgr

_SAYS_MASK = re.compile(r"(.+?)[ _.-]*(?:mask|seg|segmentation|gt|groundtruth|label|annotation)s?(?:[ _.-]?\d+)?", re.IGNORECASE)
_BESIDE = 4
"""Folders beside one another, at most, of which some may be of masks: frames of many videos share their names, too."""
_FEW, _LOOKED_AT = 3, 3
"""Pairs of a class from which on they are looked at, and how many of them are."""
_COLOURS, _FLAT = 16, 0.9
"""Most colours of a mask, and the least share of its pixels that are as their neighbour."""

_Pair = tuple[Path, Path]
"""A mask, as its name says, and the picture that it is of."""


def problems(root: Path, folders: Iterable[str], files: Iterable[Path]) -> Iterator[Problem]:
    """A warning for each of the folders whose class folders hold masks, as the names say and the pixels of some pairs.

    Args:
        folders: below ``root``, with a folder for each class.
        files: the images that are read.
    """
    bases = {os.path.join(root, folder) + os.sep: folder for folder in folders}
    classes: dict[str, dict[str, dict[str, dict[str, Path]]]] = {base: defaultdict(lambda: defaultdict(dict)) for base in bases}
    for file in files:
        if base := next((base for base in bases if str(file).startswith(base)), None):
            name, _, rest = str(file)[len(base) :].partition(os.sep)
            inner, _, last = rest.rpartition(os.sep)
            classes[base][name][inner][os.path.splitext(last)[0]] = file
    for base, folder in bases.items():
        found = [pair for places in classes[base].values() for pairs in _pairs(places) if _are_masks(pairs) for pair in pairs]
        if found:
            mask, picture = (relative(file, root) for file in found[0])
            total = sum(len(stems) for places in classes[base].values() for stems in places.values())
            what = f"{len({mask for mask, _ in found})} of {total} images seem to be masks of others, e.g. {mask} of {picture}"
            yield Problem(folder, f"{what}; each counts as a picture of its class", "move masks out of the class folders", fatal=False)


def _pairs(places: dict[str, dict[str, Path]]) -> Iterator[list[_Pair]]:
    """What may be masks and their pictures in one class folder, of one kind at a time.

    Args:
        places: folder inside it -> name without suffix -> file.
    """
    for stems in places.values():
        marked = [(file, said[1]) for stem, file in stems.items() if (said := _SAYS_MASK.fullmatch(stem))]
        if len(pairs := [(file, stems[stem]) for file, stem in marked if stem in stems]) >= _FEW:
            yield pairs
    beside: dict[str, list[str]] = defaultdict(list)
    for place in places:
        if place:
            beside[os.path.dirname(place)].append(place)
    for above, inner in beside.items():
        together = [*inner, *([above] if above in places else [])]
        for one, other in combinations(together if len(together) <= _BESIDE else [], 2):
            shared = [stem for stem in places[one] if stem in places[other]]
            if len(shared) >= max(_FEW, min(len(places[one]), len(places[other])) / 2):
                yield [(places[one][stem], places[other][stem]) for stem in shared]
                yield [(places[other][stem], places[one][stem]) for stem in shared]


def _are_masks(pairs: list[_Pair]) -> bool:
    """Whether, of some pairs, the first are flat areas of few colours and the second are not."""
    some = pairs[:: max(1, len(pairs) // _LOOKED_AT)][:_LOOKED_AT]
    return all(_is_flat(mask) and not _is_flat(picture) for mask, picture in some)


def _is_flat(file: Path) -> bool:
    import numpy as np

    try:
        pixels = read_bgr(file, Decoding()).astype(np.int64)
    except ValueError:  # told with the pictures
        return False
    colours = pixels @ np.array([1, 1 << 8, 1 << 16])
    return len(np.unique(colours)) <= _COLOURS and bool((colours[:, 1:] == colours[:, :-1]).mean() >= _FLAT)
