"""Whether the splits are as large as the protocol says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.benchmarks.base import NAMES, Listing, Problem
from harness.benchmarks.options import DataOptions


def official(data: DataOptions, listing: Listing[Any]) -> Iterator[Problem]:
    """Splits with another number of samples than ``data.official`` says, all in one problem."""
    found = {split: len(listing.of(split)) for split in data.official}
    wrong = [
        f"{found[split]:,} {NAMES[split]} samples, where the official split has {wanted:,}"
        for split, wanted in data.official.items()
        if found[split] != wanted
    ]
    if wrong:
        mend = "fetch the dataset again; to run on a part of it, whose numbers stand in no paper, --set data.official={}"
        yield Problem("data.official", "; ".join(wrong), mend)
