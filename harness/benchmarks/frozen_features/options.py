"""What a benchmark of frozen features may say about its model; its data are those of classification."""

from __future__ import annotations

from typing import Literal

from harness.benchmarks.options import ModelOptions


class FrozenModel(ModelOptions):
    """``model:`` of a benchmark of frozen features."""

    frozen: Literal[True] = True  # type: ignore[assignment]  # narrower than for other families
    """The backbone stays as its ``weights`` are; training images cannot be augmented."""
