"""Whether the splits are as large as the protocol says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.benchmarks.base import NAMES, Listing, Problem
from harness.benchmarks.options import DataOptions


def official(data: DataOptions, listing: Listing[Any]) -> Iterator[Problem]:
    """A split with another number of samples than ``data.official`` says."""
    for split, wanted in data.official.items():
        found = len(listing.of(split))
        if found != wanted:
            what = f"{found:,} samples, where the official split has {wanted:,}"
            mend = "fetch the dataset again; to run on a part of it, whose numbers stand in no paper, write data.official: {}"
            yield Problem(f"{NAMES[split]} split", what, mend)
