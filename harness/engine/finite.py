"""Predictions of the test that are no numbers: a metric would count them as whatever class stands first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.structures import BaseDataElement

from harness.errors import TrialError

_PREDICTED = ("pred", "seg_logits")
"""How the names of what a model adds to a sample begin, in OpenMMLab and here."""


def finite(value: Any) -> bool:
    """Whether all floating-point numbers of a prediction, or of what it holds, are finite."""
    if isinstance(value, torch.Tensor):
        # one sum: it is not finite where any number is not, and takes a fraction of the time that a look at each takes
        return not value.is_floating_point() or bool(value.sum(dtype=torch.float64).isfinite())
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    if isinstance(value, BaseDataElement):
        return all(map(finite, value.values()))
    return not isinstance(value, (list, tuple)) or all(map(finite, value))


class FinitePredictions(Hook):
    """Counts the test images whose predictions are not finite.

    Attributes:
        notes: what a trial says of them; empty where there are none.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._seen = self._wrong = 0

    def before_test(self, runner: Any) -> None:
        self.notes, self._seen, self._wrong = [], 0, 0

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        for sample in outputs if isinstance(outputs, Iterable) else ():
            if isinstance(sample, BaseDataElement):
                self._seen += 1
                self._wrong += not all(finite(value) for name, value in sample.items() if name.startswith(_PREDICTED))

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """All processes of a trial count together.

        Raises:
            TrialError: no image has a prediction that is finite.
        """
        counted = torch.tensor([self._seen, self._wrong])
        all_reduce(counted)
        seen, wrong = counted.tolist()
        if wrong and wrong == seen:
            raise TrialError(f"the predictions of all {seen} test images are not finite")
        if wrong:
            self.notes = [f"{wrong} of {seen} test images have predictions that are not finite, of which every score is accidental"]
