"""Scores of single classes, joints and samples that the toolboxes' evaluators have at hand and keep to themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from harness.outcome import GUESS, LABEL


@dataclass
class Parts:
    """Beside what an evaluator returns."""

    metrics: dict[str, float] = field(default_factory=dict)
    """``IoU/<class>``, ``top1/<class>``, ``PCK/<joint>``."""
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    """As :attr:`harness.outcome.Outcome.per_sample`."""


def watch(metric: Any) -> None:
    """Have an evaluator keep its :class:`Parts` as ``parts``, and those of samples as ``per_sample``, when it is asked for its metrics."""
    found = _KNOWN.get(type(metric).__name__)
    metric.parts = Parts()
    if found is None:
        return
    compute = metric.compute_metrics

    def and_keep(results: list[Any]) -> Any:
        told = compute(results)
        if told:  # nothing is known where predictions were written for a server
            metric.parts = found(metric, results)
            metric.per_sample = metric.parts.samples
        return told

    metric.compute_metrics = and_keep


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
    """mmseg's ``IoUMetric``: of each class that is labelled or predicted."""
    shared, union = (torch.stack([row[place] for row in results]).double().sum(0).numpy() for place in (0, 1))
    names = _classes(metric, len(shared))
    return Parts({f"IoU/{name}": float(100 * a / b) for name, a, b in zip(names, shared, union, strict=True) if b})


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


_KNOWN: dict[str, Callable[[Any, list[Any]], Parts]] = {"Accuracy": _top1, "IoUMetric": _iou, "PCKAccuracy": _pck}
