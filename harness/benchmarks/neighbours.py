"""Whether a split parts what follows one another: frames of a video, slices of a volume, versions of a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.validation import natural

if TYPE_CHECKING:
    import numpy as np

_ALIKE = 0.5
"""How far thumbnails of neighbours are apart where they follow one another, as a part of what others are apart: 0.1 to 0.45 for
videos, 0.97 to 1.05 for photographs in the order of their names."""
_FEWEST = 10
"""Pictures of a folder, and pairs of neighbours, below which nothing is said."""
_MOST = 400
"""Pairs that are looked at."""


def parted(train: Sequence[Path], others: Sequence[Path], thumbs: Mapping[Path, np.ndarray]) -> int:
    """How many of the ``others`` have the next or previous picture of their folder in ``train``, if that is so of most and if
    neighbours look alike; 0 otherwise.

    Args:
        thumbs: file -> its :func:`harness.images.thumbnail`; what has none is passed over.
    """
    import numpy as np

    mine, folders = {*train}, defaultdict[Path, list[Path]](list)
    for file in {*train, *others} & thumbs.keys():
        folders[file.parent].append(file)
    tested, rng = {*others} - mine, np.random.default_rng(0)
    near, far, count = list[tuple[Path, Path]](), list[tuple[Path, Path]](), 0
    for _, files in sorted(folders.items()):
        files.sort(key=lambda file: natural(file.name))
        trained = [file for file in files if file in mine]
        count += sum(file in tested for file in files)
        for place, file in enumerate(files):
            beside = [other for other in files[max(0, place - 1) : place + 2] if other in mine]
            if file in tested and beside and len(files) >= _FEWEST:
                near.append((file, beside[0]))
                far.append((file, trained[int(rng.integers(len(trained)))]))
    if len(near) < max(_FEWEST, count / 2):
        return 0
    some = np.unique(np.linspace(0, len(near) - 1, _MOST).astype(int))
    apart = [_apart(thumbs, [pairs[place] for place in some]) for pairs in (near, far)]
    return len(near) if apart[0] < _ALIKE * apart[1] else 0


def _apart(thumbs: Mapping[Path, np.ndarray], pairs: list[tuple[Path, Path]]) -> float:
    """Grey levels by which the thumbnails of half of the pairs differ at least."""
    import numpy as np

    one, other = (np.stack([thumbs[pair[side]] for pair in pairs]).astype(np.float32) for side in (0, 1))
    return float(np.median(((one - other) ** 2).mean((1, 2)) ** 0.5))
