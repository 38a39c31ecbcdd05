"""mmengine classes of the family: the dataset with its bank, the model that hands out its vectors, and the protocols."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import DATASETS, METRICS, MODELS
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from harness.benchmarks.base import Split
from harness.benchmarks.classification.mm import ClassDataset
from harness.benchmarks.frozen_features.scores import by_split, protocols, summarise, told
from harness.errors import TrialError
from harness.outcome import GROUP, GUESS, LABEL


@DATASETS.register_module()
class WithBank(ClassDataset):
    """The samples of a split, and behind them those that a protocol knows the classes of: training, then validation for the test.

    Attributes:
        scored: how many belong to the split.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        own = self._split
        parts: dict[Split, list[dict[str, Any]]] = {}
        belonging: dict[Split, list[int] | None] = {}
        behind: tuple[Split, ...] = ("train", "val") if own == "test" else ("train",)
        for split in (own, *behind):
            self._split = split
            parts[split] = super().load_data_list()
            belonging[split] = self._metainfo["belonging"]
        self._split = own
        self.scored = len(parts[own])
        self._metainfo["belonging"] = belonging[own]
        self._metainfo["parts"] = {split: len(part) for split, part in parts.items()}
        return [sample for part in parts.values() for sample in part] if self.scored else []


@MODELS.register_module()
class PooledClassifier(ImageClassifier):
    """mmpretrain's ``ImageClassifier``; its predictions carry ``pooled``, the (D,) vector that the classifier is given."""

    takes_numbers = True

    def predict(self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs: Any) -> list[DataSample]:
        feats = self.extract_feat(inputs)
        predicted: list[DataSample] = self.head.predict(feats, data_samples, **kwargs)
        for sample, vector in zip(predicted, feats[-1].detach().cpu(), strict=True):
            sample.set_field(vector, "pooled")
        return predicted


@METRICS.register_module()
class Protocols(BaseMetric):
    """All protocols over the pooled vectors of a split and its bank (%).

    Attributes:
        per_sample: metric -> (N,) float32 of 0 to 100; ``label`` and the linear probe's ``guess``, in the order of the test set;
            ``group``, the number of the picture, where samples are parts of some.
        notes: the linear probe's penalty.
    """

    default_prefix = None

    def __init__(self) -> None:
        super().__init__()
        self.per_sample: dict[str, np.ndarray] = {}
        self.notes: list[str] = []

    def process(self, _data_batch: Any, data_samples: Any) -> None:
        # a batch is one result: mmengine looks into each of them several times
        places = np.array([sample["sample_idx"] for sample in data_samples])
        labels, shares, pooled = (torch.stack([sample[name] for sample in data_samples]) for name in ("gt_label", "pred_score", "pooled"))
        self.results.append((places, labels[:, 0].cpu().numpy(), shares.argmax(dim=1).cpu().numpy(), pooled.numpy()))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        parts: dict[str, int] = self.dataset_meta["parts"]
        places, labels, guesses, pooled = (np.concatenate(some) for some in zip(*results, strict=True))
        order = np.unique(places, return_index=True)[1]  # several processes have their batches in turns, and some samples twice
        labels, guesses, features = labels[order], guesses[order], pooled[order].astype(np.float64)
        vectors = by_split(features, labels, parts)
        test = vectors["test" if "test" in parts else "val"]
        if not np.isfinite(features).all():
            raise TrialError("a pooled vector is not finite")
        # in the validation the split is its own judge of the penalty
        hits, guessed, penalty = protocols(vectors["train"], vectors.get("val"), test, len(self.dataset_meta["classes"]))
        hits["head"] = (guesses[: len(test.labels)] == test.labels).astype(float)
        self.per_sample = {name: (100 * found).astype(np.float32) for name, found in hits.items()}
        self.per_sample |= {LABEL: test.labels.astype(np.float32), GUESS: guessed.astype(np.float32)}
        if (belonging := self.dataset_meta.get("belonging")) is not None:
            self.per_sample[GROUP] = np.array(belonging, np.float32)
        self.notes = [told(penalty, vectors.get("val"))]
        return summarise(hits)
