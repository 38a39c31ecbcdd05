"""mmengine classes of the family: the dataset with its variants, and the metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import DATASETS, METRICS

from harness.benchmarks.background_robustness import FAMILY
from harness.benchmarks.background_robustness.readers.varied import Variants, Varied
from harness.benchmarks.background_robustness.scores import VARIANTS, judged, summarise
from harness.benchmarks.classification.mm import ClassDataset
from harness.outcome import GUESS, LABEL, Confusion


@DATASETS.register_module()
class VariedDataset(ClassDataset):
    """Training images with labels of their own; images to be scored with the test images' classes, and their variants in ``metainfo``.

    Training images that are held out for validation are scored as original ones, as far as they are of one of these classes.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        data, found = FAMILY.listing(Path(self.data_root), self._options)
        listing = cast(Variants, found)
        decoding = listing.decoding(data)
        self._metainfo |= {"classes": tuple(listing.classes), "groups": tuple(listing.groups), "mapping": tuple(listing.mapping)}
        images, variants = [], []
        for sample in listing.split(self._split):
            label, variant = sample.label, 0
            if isinstance(sample, Varied):
                variant = sample.variant
            elif self._split != "train" and (label := listing.mapping[label]) < 0:
                continue
            images.append({"img_path": str(sample.file), "gt_label": label, "decoding": decoding})
            variants.append(variant)
        self._metainfo["variants"] = tuple(variants)
        return images


@METRICS.register_module()
class Backgrounds(BaseMetric):
    """Accuracy (%) on each variant.

    Attributes:
        per_sample: variant -> (N,) float32 of 0 or 100, NaN for images of another; ``label`` and ``guess`` (-1: of none of the classes);
            in the order of the test set.
        confusion: of the test images' classes, in all variants; the training images may have others.
    """

    default_prefix = None

    def __init__(self) -> None:
        super().__init__()
        self.per_sample: dict[str, np.ndarray] = {}
        self.confusion: Confusion | None = None

    def process(self, _data_batch: Any, data_samples: Any) -> None:
        self.results += [(sample["sample_idx"], int(sample["gt_label"]), int(sample["pred_score"].argmax())) for sample in data_samples]

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        index, labels, guesses = (np.array(column) for column in zip(*results, strict=True))
        variants = np.array(self.dataset_meta["variants"])[index]
        found = judged(guesses, self.dataset_meta["mapping"])
        hits = found == labels
        self.per_sample = {
            name: np.where(variants == place, 100 * hits.astype(np.float32), np.float32(np.nan)) for place, name in enumerate(VARIANTS)
        }
        self.per_sample |= {LABEL: labels.astype(np.float32), GUESS: found.astype(np.float32)}
        self.confusion = Confusion.of_images(labels, found, self.dataset_meta["groups"])
        return summarise(hits, variants)
