"""Scores of single classes, joints and samples that the toolboxes' evaluators have at hand and keep to themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from harness.benchmarks.parts import pixels
from harness.benchmarks.segmentation.scores import per_image, summarise
from harness.outcome import GUESS, LABEL, Confusion


@dataclass
class Parts:
    """Beside what an evaluator returns."""

    metrics: dict[str, float] = field(default_factory=dict)
    """``IoU/<class>``, ``top1/<class>``, ``PCK/<joint>``, ``bbox_mAP/<class>``."""
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    """As :attr:`harness.outcome.Outcome.per_sample`."""
    confusion: Confusion | None = None


def watch(metric: Any) -> None:
    """Have an evaluator keep its :class:`Parts` as ``parts`` when it is asked for its metrics, and what the harness reads of any
    evaluator as ``per_sample`` and ``confusion``."""
    found = _KNOWN.get(type(metric).__name__)
    metric.parts = Parts()
    if found is None:
        return
    compute = metric.compute_metrics
    if pixelwise := type(metric).__name__ == "IoUMetric":
        count = metric.intersect_and_union
        metric.intersect_and_union = lambda *of: (*count(*of), pixels.pairs(*of))

    def and_keep(results: list[Any]) -> Any:
        with _kept(metric) as made:
            told = compute([row[:-1] for row in results] if pixelwise else results)
        if told:  # nothing is known where predictions were written for a server
            metric.parts = found(metric, made or results)
            metric.per_sample, metric.confusion = metric.parts.samples, metric.parts.confusion
        return told

    metric.compute_metrics = and_keep


_MADE = {"CocoMetric": "COCOeval", "VOCMetric": "eval_map"}
"""Evaluator -> what its module calls to score all classes, of which it returns the mean alone."""


@contextmanager
def _kept(metric: Any) -> Iterator[list[Any]]:
    """What these calls return meanwhile."""
    module, name = sys.modules[type(metric).__module__], _MADE.get(type(metric).__name__, "")
    made, call = [], getattr(module, name, None)

    def and_keep(*args: Any, **kwargs: Any) -> Any:
        made.append(call(*args, **kwargs))  # type: ignore[misc]
        return made[-1]

    if call is not None:
        setattr(module, name, and_keep)
    try:
        yield made
    finally:
        if call is not None:
            setattr(module, name, call)


def _classes(metric: Any, count: int) -> list[str]:
    named = [*map(str, (metric.dataset_meta or {}).get("classes") or ())]
    return named if len(named) == count else [*map(str, range(count))]


def _top1(metric: Any, results: list[dict[str, Any]]) -> Parts:
    """mmpretrain's ``Accuracy`` of images with one label each, as long as it counts the first guess without a threshold."""
    if 1 not in metric.topk or any(metric.thrs) or any(result["gt_label"].numel() != 1 for result in results):
        return Parts()
    labels = torch.cat([result["gt_label"] for result in results]).numpy()
    guesses = np.array([int(r["pred_score"].argmax() if "pred_score" in r else r["pred_label"]) for r in results])
    count = results[0]["pred_score"].numel() if "pred_score" in results[0] else 1 + int(max(labels.max(), guesses.max()))
    hits, names = 100 * (labels == guesses).astype(np.float32), _classes(metric, count)
    return Parts(
        {f"top1/{names[label]}": float(hits[labels == label].mean()) for label in np.unique(labels)},
        {"top1": hits, LABEL: labels.astype(np.float32), GUESS: guesses.astype(np.float32)},
    )


def _iou(metric: Any, results: list[Any]) -> Parts:
    """mmseg's ``IoUMetric``: of each class that is labelled or predicted, and within each image."""
    images = np.stack([np.stack([row[place].double().numpy() for place in (0, 2, 3)]) for row in results])
    names = _classes(metric, images.shape[2])
    found = {name: value for name, value in summarise(images.sum(0), names).items() if "/" in name}
    return Parts(found, per_image(images), Confusion(tuple(names), pixels.counts((row[4] for row in results), len(names)), "pixels"))


def _pck(metric: Any, results: list[dict[str, Any]]) -> Parts:
    """mmpose's ``PCKAccuracy``: of each joint that is labelled."""
    from mmpose.evaluation.functional import keypoint_pck_accuracy

    predicted, true, mask = (np.concatenate([result[name] for result in results]) for name in ("pred_coords", "gt_coords", "mask"))
    names = (metric.dataset_meta or {}).get("keypoint_id2name") or {}
    found = Parts()
    for item, name in (("bbox", "PCK"), ("head", "PCKh"), ("torso", "tPCK")):
        if item in metric.norm_item:
            sizes = np.concatenate([result[f"{item}_size"] for result in results])
            shares, _, _ = keypoint_pck_accuracy(predicted, true, mask, metric.thr, sizes)
            found.metrics |= {f"{name}/{names.get(joint, joint)}": float(share) for joint, share in enumerate(shares) if share >= 0}
    return found


def _coco(metric: Any, evaluations: list[Any]) -> Parts:
    """mmdet's ``CocoMetric``, not rounded: of each class that is annotated. mmpose's has one class."""
    found = Parts()
    for one in evaluations:
        kind, classes = getattr(one.params, "iouType", ""), one.params.catIds
        if kind in ("bbox", "segm") and one.params.useCats and one.eval:
            for place, row in enumerate(metric._coco_api.loadCats(list(classes))):
                precision = one.eval["precision"][:, :, place, 0, -1]  # of any size, as many boxes as count at most
                if (precision > -1).any():
                    found.metrics[f"{kind}_mAP/{row['name']}"] = float(precision[precision > -1].mean())
    return found


def _voc(metric: Any, evaluations: list[Any]) -> Parts:
    """mmdet's ``VOCMetric``: of each class that is annotated, over its thresholds."""
    by_class = [*zip(*(rows for _, rows in evaluations), strict=True)]
    annotated = {name: rows for name, rows in zip(_classes(metric, len(by_class)), by_class, strict=True) if np.any(rows[0]["num_gts"])}
    return Parts({f"mAP/{name}": float(np.mean([row["ap"] for row in rows])) for name, rows in annotated.items()})


_KNOWN: dict[str, Callable[[Any, list[Any]], Parts]] = {
    "Accuracy": _top1,
    "CocoMetric": _coco,
    "IoUMetric": _iou,
    "PCKAccuracy": _pck,
    "VOCMetric": _voc,
}
"""Evaluator -> its parts, from what it counted; of those of :data:`_MADE` from what they called."""
