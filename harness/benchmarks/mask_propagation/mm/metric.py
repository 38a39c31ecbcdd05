"""DAVIS's scores of propagated masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from harness.benchmarks.mask_propagation.mm.dataset import Film
from harness.benchmarks.mask_propagation.scores import of_object, per_object, summarise
from harness.outcome import GROUP


@METRICS.register_module()
class RegionsAndBoundaries(BaseMetric):
    """J and F of each object, and their means over all objects (%), see :mod:`harness.benchmarks.mask_propagation.scores`.

    Attributes:
        per_sample: metric -> (N,) float32 of 0 to 100, one for each object in the order of the test set, and ``group``, the number of
            its video.
    """

    default_prefix = None

    def __init__(self) -> None:
        super().__init__()
        self.per_sample: dict[str, np.ndarray] = {}
        self._truths: tuple[Film, list[np.ndarray]] | None = None

    def process(self, _data_batch: Any, data_samples: Any) -> None:
        for sample in data_samples:
            film, number = sample["film"], sample["number"]
            frames = film.video.scored
            truths = [labels == number for labels in self._labels(film)]
            found = [of_object(truths, [sample[name][frame] == number for frame in frames]) for name in ("propagated", "by_pixels")]
            self.results.append((sample["sample_idx"], film.video.name, *found))

    def _labels(self, film: Film) -> list[np.ndarray]:
        """What is true of the scored frames; objects of a video come one after the other."""
        if self._truths is None or self._truths[0] != film:
            self._truths = film, [film.video.labels(frame) for frame in film.video.scored]
        return self._truths[1]

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        _, names, found, by_pixels = zip(*sorted(results, key=lambda result: result[0]), strict=True)
        features, pixels = np.array(found), per_object(np.array(by_pixels))["jf_mean"]
        self.per_sample = {name: values.astype(np.float32) for name, values in per_object(features).items()}
        self.per_sample["pixels"] = pixels.astype(np.float32)
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self.per_sample[GROUP] = np.array([numbers[name] for name in names], np.float32)
        return summarise(features) | {"pixels": float(pixels.mean())}
