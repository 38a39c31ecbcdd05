"""Who leads a block: the tie group of its best, without those that are in it by their spread alone.

A method that fails to train in some seeds has an interval so wide that nothing can be told apart from it, the best among them. It
shares a letter with the best and is no leader: where it stands is open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from harness.texts import amount, one_line, short

if TYPE_CHECKING:
    from harness.analysis.standing import Standing

WIDE = 1.5
"""An interval that is so many times as wide as the resolution leaves open where a method stands; that of a method of median spread is
about as wide as it."""

NAMED, LONGEST = 6, 40
"""Names that a sentence lists, and letters of one; of more names the first are listed and the others counted."""


@dataclass(frozen=True)
class Leaders:
    """Of the tie group of the best (:attr:`Standing.best`): who leads, and whose place is open."""

    leading: frozenset[str] = frozenset()
    """Those with an interval that is not much wider than the resolution, which cannot be told apart from the best of these."""
    open: frozenset[str] = frozenset()
    """Those whose interval is much wider (:data:`WIDE`)."""
    sentence: str = ""
    """Both in words; empty where nothing can be judged."""


def leaders(standing: Standing) -> Leaders:
    """Of one block."""
    if not standing.judged:
        return Leaders()
    names = [*standing.values]
    low, high = standing.cells.interval()
    resolution = standing.shows(standing.seeds)
    group = [index for index in standing.known if names[index] in standing.best]
    narrow = [index for index in group if high[index] - low[index] <= WIDE * resolution]
    # a best of wide spread has methods in its group that are far apart
    leading = [index for index in narrow if not standing.differ[narrow[0], index]]
    wide = [index for index in group if index not in narrow]
    alike = not any(standing.differ[one, other] for one, other in combinations(leading, 2))
    told = [
        _leading([names[index] for index in leading], standing, alike),
        _open([names[index] for index in wide if standing.told_apart], names[0]),
    ]
    rest = [index for index in range(len(names)) if index not in standing.known]
    told.append(_single([names[index] for index in rest if math.isfinite(standing.cells.mean[index])]))
    told.append(_undefined([names[index] for index in rest if not math.isfinite(standing.cells.mean[index])]))
    sentence = "; ".join(filter(None, told)) + "."
    return Leaders(frozenset(names[index] for index in leading), frozenset(names[index] for index in wide), sentence)


def _leading(names: Sequence[str], standing: Standing, alike: bool) -> str:
    if not standing.told_apart:
        return f"No method leads: {'the two cannot' if standing.compared == 1 else 'no two can'} be told apart"
    if not names:
        return "No method leads for certain"
    if len(names) == 1:
        return f"{_listed(names)} leads"
    return f"{_listed(names)} lead and cannot be told apart" + ("" if alike else f" from {_short(names[0])}")


def _open(names: Sequence[str], best: str) -> str:
    if not names:
        return ""
    first = " (of the best mean)" if names[0] == best else ""
    return f"{_listed(names, first)} {'has' if len(names) == 1 else 'have'} too wide a spread to be placed"


def _single(names: Sequence[str]) -> str:
    return f"{_listed(names)} {'has' if len(names) == 1 else 'have'} fewer than two seeds to be placed by" if names else ""


def _undefined(names: Sequence[str]) -> str:
    return f"{_listed(names)} {'has' if len(names) == 1 else 'have'} no number in a seed or more" if names else ""


def _short(name: str) -> str:
    return short(one_line(name), LONGEST)


def _listed(names: Sequence[str], first: str = "") -> str:
    """``a, b and c``; ``first`` stands behind the first of them."""
    some = [_short(name) for name in names[: NAMED if len(names) <= NAMED else NAMED - 1]]
    some[0] += first
    if rest := len(names) - len(some):
        some.append(amount(rest, "other"))
    return " and ".join(filter(None, [", ".join(some[:-1]), some[-1]]))
