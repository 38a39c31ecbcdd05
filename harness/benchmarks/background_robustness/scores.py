"""Accuracy on each variant of the images, and how much a background of another class costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.benchmarks.background_robustness.options import BackgroundData
from harness.benchmarks.base import Metric

if TYPE_CHECKING:
    import numpy as np

VARIANTS = {
    "original": "the images as they are",
    "only_fg": "foregrounds on black",
    "mixed_same": "foregrounds on backgrounds of their own class",
    "mixed_rand": "foregrounds on backgrounds of a random class",
    "mixed_next": "foregrounds on backgrounds of the next class",
    "no_fg": "images whose foreground is black",
    "only_bg_b": "images whose foreground's box is black",
    "only_bg_t": "images whose foreground's box is tiled with background",
}
"""ImageNet-9's folder of a variant -> what it holds."""

_WITHOUT = ("no_fg", "only_bg_b", "only_bg_t")
"""Those without a foreground: to be right there is no merit."""


def metrics(_data: BackgroundData) -> list[Metric]:
    """What a trial reports, see :func:`summarise`."""
    return [
        *(Metric(name, "%", name not in _WITHOUT, f"Top-1 accuracy, {what}") for name, what in VARIANTS.items()),
        Metric("bg_gap", "%", False, "mixed_same less mixed_rand: what a background of another class costs"),
    ]


def judged(guesses: np.ndarray, mapping: Sequence[int]) -> np.ndarray:
    """The class of the test images that each guessed training class belongs to; -1, which is never right, for one of none.

    Args:
        guesses: (N,) training classes.
        mapping: training class -> class of the test images or -1.
    """
    import numpy as np

    found: np.ndarray = np.asarray(mapping, dtype=int)[guesses]
    return found


def summarise(hits: np.ndarray, variants: np.ndarray) -> dict[str, float]:
    """Accuracy (%) of the images of each variant that is there, and BG-Gap where both of its are.

    As MadryLab/backgrounds_challenge, ``tools/model_utils.eval_model``: right guesses among all images of a variant.

    Args:
        hits: (N,) bool.
        variants: (N,) places in :data:`VARIANTS`.
    """
    found = {name: 100 * float(hits[variants == place].mean()) for place, name in enumerate(VARIANTS) if (variants == place).any()}
    if {"mixed_same", "mixed_rand"} <= found.keys():
        found["bg_gap"] = found["mixed_same"] - found["mixed_rand"]
    return found
