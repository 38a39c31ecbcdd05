"""What changes while a network is pre-trained, as functions of time; numbers only."""

from __future__ import annotations

import math


def cosine(start: float, end: float, step: int, steps: int) -> float:
    """From ``start`` at step 0 towards ``end`` at ``steps``, along half a cosine: the teacher's momentum, the weight decay.

    Caron et al., ICCV 2021; ``utils.cosine_scheduler`` of facebookresearch/dino.
    """
    return end + (start - end) * (1 + math.cos(math.pi * step / steps)) / 2


def warm_up(start: float, end: float, epoch: int, epochs: int) -> float:
    """From ``start`` in epoch 0 to ``end`` in epoch ``epochs`` - 1 in equal steps, ``end`` from then on: the teacher's temperature."""
    return end if epoch >= epochs else start + (end - start) * epoch / max(epochs - 1, 1)
