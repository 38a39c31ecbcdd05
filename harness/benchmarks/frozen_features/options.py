"""What a benchmark of frozen features may say about its model; its data are those of classification."""

from __future__ import annotations

from harness.benchmarks.options import ModelOptions


class FrozenModel(ModelOptions):
    """``model:`` of a benchmark of frozen features."""

    frozen: bool = True
    """The backbone stays as its ``weights`` are, and training images cannot be augmented; ``false``: it is trained with the pooling, and
    the protocols then judge what fine-tuning made of it."""
