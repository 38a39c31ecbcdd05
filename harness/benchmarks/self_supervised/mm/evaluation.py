"""The dataset with the objects' places, and the metric over what a pre-trained network says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import DATASETS, METRICS

from harness.benchmarks.frozen_features.mm import WithBank
from harness.benchmarks.frozen_features.scores import by_split, protocols, summarise, told
from harness.benchmarks.self_supervised.scores import UNTRAINED
from harness.benchmarks.self_supervised.scores.features import ALIKE, rankme, spread
from harness.benchmarks.self_supervised.scores.objects import by_region, on_object, pointing
from harness.benchmarks.self_supervised.synthetic import box_of
from harness.errors import TrialError
from harness.outcome import GROUP, GUESS, LABEL


@DATASETS.register_module()
class Pictures(WithBank):
    """Images as they are; those of validation and test with their bank, and with ``box`` where the object's place is known."""

    def load_data_list(self) -> list[dict[str, Any]]:
        samples = super().load_data_list()
        root = Path(self.data_root)
        known = self._options["format"] == "synthetic"
        self._metainfo["placed"] = known
        return [{**sample, "box": box_of(root, Path(sample["img_path"])) if known else None} for sample in samples]


@METRICS.register_module()
class Representation(BaseMetric):
    """Protocols over the [CLS] vectors of a split and its bank (%), the same of the network before training, and what is masked.

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
        for sample in data_samples:
            arrays = {name: sample[name].numpy() for name in ("pooled", "untrained", "mask", "error", "attention")}
            self.results.append({"label": int(sample["gt_label"]), "box": sample["box"], **arrays})

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        parts: dict[str, int] = self.dataset_meta["parts"]
        classes = len(self.dataset_meta["classes"])
        labels = np.array([result["label"] for result in results])
        both = (np.stack([result[name] for result in results]).astype(np.float64) for name in ("pooled", "untrained"))
        learnt, first = (by_split(features, labels, parts) for features in both)
        own = next(iter(parts))  # the split itself stands first
        test = results[: parts[own]]
        _refuse_alike(learnt[own].features)
        # in the validation the split is its own judge of the penalty
        hits, guessed, penalty = protocols(learnt["train"], learnt.get("val"), learnt[own], classes)
        before, _, _ = protocols(first["train"], first.get("val"), first[own], classes)
        hits |= {f"untrained_{name}": before[name] for name in UNTRAINED}
        self.per_sample = {name: (100 * found).astype(np.float32) for name, found in hits.items()}
        self.per_sample |= {LABEL: learnt[own].labels.astype(np.float32), GUESS: guessed.astype(np.float32)}
        if (belonging := self.dataset_meta.get("belonging")) is not None:
            self.per_sample[GROUP] = np.array(belonging, np.float32)
        self.notes = [told(penalty, learnt.get("val"))]
        mask, error, attention = (np.stack([result[name] for result in test]).astype(np.float64) for name in ("mask", "error", "attention"))
        about = {"rank": rankme(learnt[own].features), "masked": 100 * float(mask.mean())}
        if self.dataset_meta["placed"]:
            boxes = [result["box"] for result in test]
            about |= {"masked_on_object": 100 * on_object(mask, boxes), "attention_on_object": 100 * on_object(attention, boxes)}
            about["pointing"] = 100 * pointing(attention, boxes)
            about["loss_on_object"], about["loss_beside"] = by_region(error, mask, boxes)
        return summarise(hits) | about


def _refuse_alike(features: np.ndarray) -> None:
    """Do nothing where features tell images apart.

    Raises:
        TrialError: they are not finite, or the same for all images.
    """
    if not np.isfinite(features).all():
        raise TrialError("the features of the pre-trained network are not finite")
    if (found := spread(features)) < ALIKE:
        raise TrialError(f"the features have collapsed: they differ by {found:.2g} of their length between images, which is rounding")
