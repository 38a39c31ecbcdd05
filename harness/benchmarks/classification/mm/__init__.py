"""mmengine classes of the classification family: the dataset and the metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, METRICS
from mmpretrain.evaluation import Accuracy

from harness.benchmarks.base import Split
from harness.benchmarks.classification import FAMILY
from harness.benchmarks.classification.readers.labelled import Labels
from harness.benchmarks.classification.scores import summarise
from harness.outcome import GROUP, GUESS, LABEL


@DATASETS.register_module()
class ClassDataset(BaseDataset):
    """Labelled images of any of the family's formats.

    Args:
        options: the benchmark's data options, without ``root``.
        split: ``train``, ``val`` or ``test``.
    """

    def __init__(self, options: dict[str, Any], split: Split, **kwargs: Any):
        self._options, self._split = options, split
        super().__init__(serialize_data=False, **kwargs)  # nobody shares it, and a serialized one cannot be empty

    def load_data_list(self) -> list[dict[str, Any]]:
        data, found = FAMILY.listing(Path(self.data_root), self._options)
        listing = cast(Labels, found)
        self._metainfo["classes"] = tuple(listing.classes)
        self._metainfo["belonging"] = listing.belonging(self._split)
        decoding = listing.decoding(data)
        return [
            {"img_path": str(listing.image(sample)), "gt_label": sample.label, "decoding": decoding}
            for sample in listing.split(self._split)
        ]


@METRICS.register_module()
class TopAccuracy(Accuracy):
    """mmpretrain's top-k accuracy (%), which also keeps every image's score (100 or 0), class and first guess.

    Attributes:
        per_sample: ``top<k>``, ``label`` and ``guess`` -> (N,) float32, in the order of the test set; ``group``, the number of the
            picture, where samples are parts of some.
    """

    default_prefix = None

    def __init__(self, topk: list[int]):
        # no threshold: a probability that underflows to 0 may still be the highest
        super().__init__(topk=topk, thrs=None)
        self.per_sample: dict[str, np.ndarray] = {}

    def compute_metrics(self, results: list[dict[str, torch.Tensor]]) -> dict[str, float]:
        scores = torch.stack([result["pred_score"] for result in results]).float()
        labels = torch.cat([result["gt_label"] for result in results])
        guesses = scores.topk(max(self.topk), dim=1).indices
        found = guesses == labels[:, None]
        hits = np.stack([found[:, :k].any(dim=1).numpy() for k in self.topk], axis=1)
        self.per_sample = {f"top{k}": 100 * hits[:, column].astype(np.float32) for column, k in enumerate(self.topk)}
        self.per_sample |= {LABEL: labels.numpy().astype(np.float32), GUESS: guesses[:, 0].numpy().astype(np.float32)}
        if (belonging := self.dataset_meta.get("belonging")) is not None:
            self.per_sample[GROUP] = np.array(belonging, np.float32)
        return summarise(hits, labels.numpy(), self.topk, self.dataset_meta["classes"])
