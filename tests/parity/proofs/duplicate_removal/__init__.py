"""What the removal of duplicates is compared with: one class and one detection at a time."""

from __future__ import annotations

from torch import Tensor

CLASSES = 3
"""Of the contract's probe."""


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of two boxes (4,)."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return one.new_zeros(())
    shared = width * height
    return shared / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared)
