"""Whether weights that fit a backbone are those of a deeper one, of whose blocks it would take the first, or of one with more in them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

_Block = dict[str, tuple[int, ...]]
"""Name inside a block -> shape."""


@dataclass(frozen=True)
class Cut:
    """A row of blocks that goes on in the file."""

    row: str
    """What stands before the number in their names, behind ``place``."""
    used: int
    there: int
    last: bool
    """No other blocks follow it in the backbone, which may then have been cut there on purpose."""


def cuts(used: Sequence[str], state: dict[str, Tensor], place: str) -> list[Cut]:
    """The rows of blocks that go on in the file with blocks like those that are used.

    What is left out otherwise is no sign of another network: a head, whole stages (their shapes differ), other networks beside it.

    Args:
        used: names of tensors in the file, in the order of the backbone.
        place: what all of them begin with, without the last dot.
    """
    start = len(place.split(".")) if place else 0
    mine, theirs = _rows(used, state, start), _rows(state, state, start)
    found = []
    for row, blocks in mine.items():
        if [*sorted(blocks)] != [*range(len(blocks))]:
            continue
        others = [block for number, block in theirs[row].items() if number not in blocks]
        more = [block for block in others if any(known.items() <= block.items() for known in blocks.values())]
        if more:
            behind = max(at for at, name in enumerate(used) if name.startswith(f"{row}.")) + 1
            last = not any(other in mine for name in used[behind:] for other, *_ in _numbered(name, start))
            found.append(Cut(row.removeprefix(f"{place}."), len(blocks), len(blocks) + len(more), last))
    return found


_COMPUTED = re.compile(r"(?:^|[._])(?:mask|index|coords_table|rope|freqs\w*|num_batches_tracked)$")
"""Ends of names of what a network makes anew, and some files keep."""


def homeless(used: Sequence[str], state: dict[str, Tensor], place: str) -> list[str]:
    """Tensors of the file in numbered blocks that are used, which have no place in the backbone's: it computes something else there.

    So are a LayerScale that the backbone was not told of, the biases of ``qkv``, or squeeze and excitation.

    Args:
        used, place: as of :func:`cuts`.
    """
    start = len(place.split(".")) if place else 0
    blocks = {block for name in used for block in _within(name, start)}
    taken, found = {*used}, []
    for name, value in state.items():
        inside = _within(name, start)
        if name not in taken and value.is_floating_point() and not _COMPUTED.search(name) and inside and inside[-1] in blocks:
            found.append(name)
    return found


def _within(name: str, start: int) -> list[str]:
    """The numbered blocks that hold a tensor, outermost first."""
    parts = name.split(".")
    return [".".join(parts[: at + 1]) for at in range(max(start, 1), len(parts) - 1) if parts[at].isdecimal()]


def _rows(names: Sequence[str] | dict[str, Tensor], state: dict[str, Tensor], start: int) -> dict[str, dict[int, _Block]]:
    """Row -> number -> block, of blocks with parts of their own; a row of single layers, such as norms, is none."""
    found: dict[str, dict[int, _Block]] = defaultdict(lambda: defaultdict(dict))
    for name in names:
        for row, number, inside in _numbered(name, start):
            found[row][number][inside] = tuple(state[name].shape)
    return found


def _numbered(name: str, start: int) -> list[tuple[str, int, str]]:
    """Where a name has the number of a block: what stands before it, the number, and what stands behind."""
    parts = name.split(".")
    if parts[-1] == "num_batches_tracked":
        return []
    places = [at for at in range(max(start, 1), len(parts) - 2) if parts[at].isdecimal()]
    return [(".".join(parts[:at]), int(parts[at]), ".".join(parts[at + 1 :])) for at in places]
