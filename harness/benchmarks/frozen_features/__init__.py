"""Frozen features: a pooling is learned behind a backbone that stays as it is, and judged by what its vectors tell of an image's class.

Each trial trains a pooling with a linear classifier on kept features (:mod:`harness.features`), and then puts the pooled vectors
through the protocols of self-supervised learning: weighted k-NN, few-shot k-NN, an exact linear probe, and that classifier itself.
Formats are those of classification.
"""

from harness.benchmarks.base import Family
from harness.benchmarks.frozen_features.options import FrozenModel

FAMILY = Family(
    name="frozen-features",
    slots=("pooling", "block"),
    primary="head",
    model=FrozenModel,
    formats={},
    formats_of="classification",
)
