"""What pixels are taken for: counted image by image, and kept as the few pairs of classes that an image has."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor


def pairs(guess: Tensor, label: Tensor, classes: int, ignore_index: int) -> Tensor:
    """Label maps of one shape -> (2, pairs) int64: ``class * classes + guess``, and its pixels; what has no class counts nowhere."""
    seen = (label != ignore_index) & (label >= 0) & (label < classes)
    counts = torch.bincount(label[seen].long() * classes + guess[seen].long(), minlength=classes**2).cpu()
    (places,) = counts.nonzero(as_tuple=True)
    return torch.stack([places, counts[places]])


def counts(found: Iterable[Tensor], classes: int) -> np.ndarray:
    """(classes, classes) int64 pixels of all images, a row a class, from their :func:`pairs`."""
    total = torch.zeros(classes**2, dtype=torch.long)
    for places, numbers in found:
        total[places] += numbers
    return total.view(classes, classes).numpy()
