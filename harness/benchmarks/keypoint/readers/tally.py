"""What of a file is left out or doubtful, said once per kind instead of once per case."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

from harness.benchmarks.base import Listing

ALWAYS, MOST, NEVER = 0.0, 0.5, inf
"""Shares beyond which no trial can run: a single case, more than half, none."""


@dataclass
class _Kind:
    example: str
    mend: str
    limit: float
    used: bool
    count: int = 0


@dataclass
class Tally:
    """Counts cases of one file by kind."""

    listing: Listing[Any]
    where: str
    """The file."""
    kinds: dict[str, _Kind] = field(default_factory=dict)

    def pass_over(self, kind: str, count: int = 1) -> None:
        """Count cases that nobody expects to be used.

        Args:
            kind: a noun in the plural, e.g. ``annotations of crowds``.
        """
        self.listing.left_out[kind] += count

    def leave_out(self, kind: str, example: str, mend: str, limit: float = MOST) -> None:
        """Count a case that is not used.

        Args:
            kind: a noun in the plural, e.g. ``points outside their image``.
            example: where it was met first, and with which value.
            limit: share of all cases beyond which no trial can run.
        """
        self._count(kind, example, mend, limit, False)

    def note(self, kind: str, example: str, mend: str, limit: float = NEVER) -> None:
        """Count a case that is used, as doubtful as it is."""
        self._count(kind, example, mend, limit, True)

    def _count(self, kind: str, example: str, mend: str, limit: float, used: bool) -> None:
        self.kinds.setdefault(kind, _Kind(example, mend, limit, used)).count += 1

    def tell(self, total: int) -> None:
        """Note a problem for each kind, and what is left out.

        Args:
            total: how many cases there are, the good ones included.
        """
        for kind, seen in self.kinds.items():
            fatal = seen.count > seen.limit * max(total, 1)
            rest = "" if fatal or seen.used else "; they are not used"
            self.listing.add(self.where, f"{kind}: {seen.count} of {total}, e.g. {seen.example}{rest}", seen.mend, fatal=fatal)
            if not seen.used:
                self.listing.left_out[kind] += seen.count
        self.kinds = {}
