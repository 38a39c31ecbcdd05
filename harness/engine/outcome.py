"""What a finished trial hands to the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAP_NOTE = "score map: "
"""Begins the note that says which map of the model located objects; the leaderboard shows the rest of it."""


@dataclass
class Cost:
    """What a trial's model costs; ``None`` where it could not be measured."""

    params: int | None = None
    """Trainable and frozen parameters."""
    flops: float | None = None
    """Floating-point operations of one forward pass of one image (a multiply-add counts as two)."""
    latency_ms: float | None = None
    """Median time of one forward pass of one image on the trial's device."""
    peak_memory_mb: float | None = None
    """CUDA: peak allocation; CPU: growth of the process's resident set."""


@dataclass
class Outcome:
    """The result of one trial; stored in one transaction or not at all."""

    metrics: dict[str, float]
    """Metric name (``name`` or ``name/scene``) -> value."""
    cost: Cost
    per_sample: dict[str, np.ndarray] = field(default_factory=dict)
    """Score name -> one value per test sample, in the order of the test set (float32; NaN where undefined)."""
    diagnostics: dict[str, float] = field(default_factory=dict)
    """Numbers that describe the attention itself."""
    durations: dict[str, float] = field(default_factory=dict)
    """Seconds: ``build``, ``train``, ``test``, ``cost``, ``diagnostics``."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Package versions, git sha and dirty flag, device, driver."""
    notes: list[str] = field(default_factory=list)
    """What a reader should know, e.g. ``batch halved after running out of memory``."""
