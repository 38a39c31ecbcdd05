"""mmengine classes of the family: the dataset with its queries, what cuts these out, the model, the metric and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from mmpretrain.datasets import ResizeEdge
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.nn import functional as F

from harness.benchmarks.base import Split
from harness.benchmarks.classification.mm import ClassDataset
from harness.benchmarks.image_retrieval import FAMILY, pictures
from harness.benchmarks.image_retrieval.readers.searched import Query, Searched, alike, boxed
from harness.benchmarks.image_retrieval.scores import Relevance, Whitening, groups, judged, ranked, setups, summarise, unit
from harness.diagnostics.places import looked_at
from harness.errors import TrialError
from harness.images import write_image
from harness.outcome import GROUP

_WHOLE = (0.0, 0.0, 1e9, 1e9)
"""A box that holds any image."""

_SHOWN = 6, 8
"""Queries that are pictured, and how many images that were found for each."""


@DATASETS.register_module()
class SearchedDataset(ClassDataset):
    """The samples of a split; of test and validation the queries stand first, and what is right for them is in ``metainfo``.

    Args:
        bank: whether the training samples stand behind those of test and validation.

    Attributes:
        scored: how many are queries.
    """

    def __init__(self, options: dict[str, Any], split: Split, bank: bool = False, **kwargs: Any):
        self._bank = bank
        super().__init__(options, split, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        data, found = FAMILY.listing(Path(self.data_root), self._options)
        listing = cast(Searched, found)
        own, decoding = listing.split(self._split), listing.decoding(data)
        asked: dict[Split, list[Relevance]] = {"test": [query.relevance for query in listing.queries], "train": []}
        relevant = asked[self._split] if self._split in asked else alike([sample.label for sample in own])
        searched = (listing.first if self._split == "test" else 0, len(own))
        self.scored = len(relevant)
        self._metainfo |= {"classes": tuple(listing.classes), "graded": data.graded, "relevant": tuple(relevant), "searched": searched}
        behind = listing.split("train") if self._bank and own else []
        return [
            {
                "img_path": str(sample.file),
                "gt_label": sample.label,
                "decoding": decoding,
                "bbox": np.array((sample.box if isinstance(sample, Query) else None) or _WHOLE),
            }
            for sample in (*own, *behind)
        ]


@TRANSFORMS.register_module()
class CutToBox(BaseTransform):
    """Keeps of an image what lies in the sample's ``bbox``: x0, y0, x1, y1 in pixels, as far as they are the image's."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results["img"].shape[:2]
        x0, y0, x1, y1 = boxed(results["bbox"].tolist(), width, height)
        results["img"] = np.ascontiguousarray(results["img"][y0:y1, x0:x1])
        results["img_shape"] = results["ori_shape"] = results["img"].shape[:2]
        return results


@TRANSFORMS.register_module()
class Shrink(ResizeEdge):
    """mmpretrain's ``ResizeEdge`` for images that are larger; smaller ones stay, as Pillow's ``thumbnail`` has it."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        resized: dict[str, Any] = super().transform(results) if max(results["img_shape"]) > self.scale else results
        return resized


@MODELS.register_module()
class Describer(ImageClassifier):
    """mmpretrain's ``ImageClassifier``; predicted is ``pooled``, the (D,) mean over ``scales`` of what it classifies.

    As ``multi_scale`` of facebookresearch/dino has it, vectors are not of length 1 before they are averaged.
    """

    def __init__(self, *args: Any, scales: Sequence[float] = (1.0,), **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.scales = [float(scale) for scale in scales]
        # what is known by number cannot be made smaller
        self.takes_numbers = self.scales == [1.0]

    def predict(self, inputs: Tensor, data_samples: list[DataSample] | None = None, **_kwargs: Any) -> list[DataSample]:
        vectors = torch.stack([self.extract_feat(_scaled(inputs, scale))[-1] for scale in self.scales]).mean(dim=0)
        samples = data_samples or [DataSample() for _ in vectors]
        for sample, vector in zip(samples, vectors.detach().cpu(), strict=True):
            sample.set_field(vector, "pooled")
        return samples


def _scaled(images: Tensor, scale: float) -> Tensor:
    return images if scale == 1 else F.interpolate(images, scale_factor=scale, mode="bilinear", align_corners=False)


@METRICS.register_module()
class Ranking(BaseMetric):
    """Mean average precision, and precision of the first few (%).

    Args:
        whiten: numbers that vectors keep after whitening by the training samples, which then stand behind the others; 0: none.

    Attributes:
        per_sample: metric -> (Q,) float32 of 0 to 100, NaN where nothing is right for a query; and ``group``.
        rankings: some of the queries, by place -> (N,) places in the database, best first.
        notes: how many queries do not count.
    """

    default_prefix = None

    def __init__(self, whiten: int = 0) -> None:
        super().__init__()
        self.whiten = whiten
        self.per_sample: dict[str, np.ndarray] = {}
        self.rankings: dict[int, np.ndarray] = {}
        self.notes: list[str] = []

    def process(self, _data_batch: Any, data_samples: Any) -> None:
        self.results += [(int(sample["sample_idx"]), sample["pooled"].numpy()) for sample in data_samples]

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        relevant: tuple[Relevance, ...] = self.dataset_meta["relevant"]
        first, last = self.dataset_meta["searched"]
        vectors = np.stack([vector for _, vector in sorted(results, key=lambda result: result[0])]).astype(np.float64)
        if not np.isfinite(vectors).all():
            raise TrialError("a pooled vector is not finite")
        if self.whiten:
            vectors = Whitening.learned(vectors[last:], self.whiten)(vectors)
        vectors = unit(vectors)
        queries, database = vectors[: len(relevant)], vectors[first:last]
        found = judged(queries, database, relevant, self.dataset_meta["graded"])
        self.per_sample = {name: (100 * values).astype(np.float32) for name, values in found.items()}
        self.per_sample[GROUP] = groups(relevant).astype(np.float32)
        self.rankings = {place: ranked(queries[place], database) for place in looked_at(len(relevant), _SHOWN[0])}
        unanswered = int(np.isnan(found[self._primary]).sum())
        self.notes = [f"nothing is right for {unanswered} of {len(relevant)} queries, which do not count"] if unanswered else []
        return summarise(found)

    @property
    def _primary(self) -> str:
        return f"mAP{setups(self.dataset_meta['graded'])[0].name}"

    def score(self, place: int) -> float:
        """Average precision (%) of the primary metric for a query."""
        return float(self.per_sample[self._primary][place])


@HOOKS.register_module()
class RankingPictures(Hook):
    """After the test, writes ``results.jpg`` into the trial's ``artifacts`` folder: queries, and the first that was found for each.

    A picture that cannot be drawn never costs a trial its result.
    """

    def after_test(self, runner: Any) -> None:
        folder, samples = Path(runner.work_dir, "artifacts"), runner.test_dataloader.dataset.data_list
        for metric in runner.test_evaluator.metrics:
            if not isinstance(metric, Ranking):
                continue
            try:
                rows = [_result(metric, place, samples) for place in metric.rankings]
                folder.mkdir(parents=True, exist_ok=True)
                write_image(folder / "results.jpg", pictures.results(rows, samples[0]["decoding"]), quality=90)
            except Exception:
                runner.logger.exception("the pictures of what was found could not be drawn")


def _result(metric: Ranking, place: int, samples: list[dict[str, Any]]) -> pictures.Result:
    """A query with the first images that were found for it, junk left out."""
    relevance: Relevance = metric.dataset_meta["relevant"][place]
    first, _ = metric.dataset_meta["searched"]
    right, junk = {*relevance.easy, *relevance.hard}, {*relevance.junk}
    shown = [at for at in metric.rankings[place].tolist() if at in right or at not in junk][: _SHOWN[1]]
    query = samples[place]
    found = [(Path(samples[first + at]["img_path"]), at in right) for at in shown]
    return pictures.Result(Path(query["img_path"]), tuple(query["bbox"].tolist()), found, metric.score(place))
