"""The metrics of a trial from which images were hit; what finds the boxes and measures them is in the modules here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.benchmarks.base import Metric

if TYPE_CHECKING:
    import numpy as np

    from harness.benchmarks.object_localization.options import LocalizationData

DELTAS = (0.3, 0.5, 0.7)
"""IoU a box must reach to count in MaxBoxAccV2."""

HIT = 0.5
"""IoU of a hit for the classic measures and CorLoc."""

V2, CLASSIC, TOP1_LOC, CORLOC, TOP1 = "maxboxaccv2", "maxboxacc", "top1_loc", "corloc", "top1"
_V2_AT = {f"{V2}@{delta:g}": delta for delta in DELTAS}


def metrics(_data: LocalizationData) -> list[Metric]:
    """What a trial reports."""
    titles = {
        V2: "MaxBoxAccV2",
        **{name: f"MaxBoxAccV2 at IoU {delta:g}" for name, delta in _V2_AT.items()},
        CLASSIC: "MaxBoxAcc",
        TOP1_LOC: "Top-1 localization",
        CORLOC: "CorLoc",
        TOP1: "Top-1 accuracy",
    }
    return [Metric(name, "%", True, title) for name, title in titles.items()]


def summary(
    reached: np.ndarray, classic: np.ndarray, single: np.ndarray, correct: np.ndarray
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Metrics over all images, and scores per image (N,) float32 whose means they are; in percent.

    Args:
        reached: (len(DELTAS), N) bool, whether a box of any contour has that IoU.
        classic: (N,) bool, whether the box of the largest contour has IoU ``HIT``.
        single: (N,) bool, whether the one box of the image has IoU ``HIT``.
        correct: (N,) bool, whether the class with the highest score is one of the image's.
    """
    import numpy as np

    shares = [100 * float(row.mean()) for row in reached]
    values = {
        V2: float(np.mean(shares)),
        **dict(zip(_V2_AT, shares, strict=True)),
        CLASSIC: 100 * float(classic.mean()),
        TOP1_LOC: 100 * float((classic & correct).mean()),
        CORLOC: 100 * float(single.mean()),
        TOP1: 100 * float(correct.mean()),
    }
    each = {V2: 100 * reached.mean(axis=0), CORLOC: 100 * single, TOP1: 100 * correct}
    return values, {name: scores.astype(np.float32) for name, scores in each.items()}
