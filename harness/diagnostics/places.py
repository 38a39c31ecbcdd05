"""Which test images diagnostics look at. Importing this module imports nothing."""

from __future__ import annotations


def looked_at(total: int, count: int | None = None) -> list[int]:
    """Places in a test set of ``total`` samples that diagnostics look at, the pictured ones first: spread evenly.

    Neighbours in a test set are often frames of one scene: the first samples would show nothing else.

    Args:
        count: how many; by default a fiftieth of the test set, at least 2 and at most 16.
    """
    count = min(count or min(16, max(2, total // 50)), total)
    step = (total - 1) / max(count - 1, 1)
    return [round(place * step) for place in range(count)]
