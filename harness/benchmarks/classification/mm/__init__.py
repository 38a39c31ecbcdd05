"""mmengine classes of the classification family: the dataset and the metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, METRICS
from mmpretrain.evaluation import Accuracy

from harness.benchmarks.base import refuse
from harness.benchmarks.classification.readers.image_folder import Labels, folders_of, split_of


@DATASETS.register_module()
class ClassFolders(BaseDataset):
    """Images in class folders, with any subset and order of the classes.

    mmpretrain's ``CustomDataset`` takes every folder it finds as a class, in the test split too.

    Args:
        split: the split's folder under ``data_root``.
        train_split: the training split's folder, whose folders are the classes where none are named.
        class_names: class folders in label order, or ``None`` for all, sorted.
    """

    def __init__(self, split: str, train_split: str, class_names: list[str] | None = None, **kwargs: Any):
        self._split = (split, train_split, class_names)
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        split, train, names = self._split
        root = Path(self.data_root)
        listing = Labels(classes=names or folders_of(root / train))
        samples = split_of(root, split, listing, listed=names is not None)
        refuse(listing.problems)
        self._metainfo["classes"] = tuple(listing.classes)
        return [{"img_path": str(sample.file), "gt_label": sample.label} for sample in samples]


@METRICS.register_module()
class TopAccuracy(Accuracy):
    """mmpretrain's top-k accuracy (%), which also keeps every image's score (100 or 0).

    Attributes:
        per_sample: ``top<k>`` -> (N,) float32, in the order of the test set.
    """

    default_prefix = None

    def __init__(self, topk: list[int]):
        # no threshold: a probability that underflows to 0 may still be the highest
        super().__init__(topk=topk, thrs=None)
        self.per_sample: dict[str, np.ndarray] = {}

    def compute_metrics(self, results: list[dict[str, torch.Tensor]]) -> dict[str, float]:
        scores = torch.stack([result["pred_score"] for result in results]).float()
        labels = torch.cat([result["gt_label"] for result in results])
        hits = scores.topk(max(self.topk), dim=1).indices == labels[:, None]
        self.per_sample = {f"top{k}": 100 * hits[:, :k].any(dim=1).numpy().astype(np.float32) for k in self.topk}
        return super().compute_metrics(results)
