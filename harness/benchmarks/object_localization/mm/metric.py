"""The evaluator of the family: MaxBoxAcc, MaxBoxAccV2, Top-1 localization, CorLoc and Top-1 accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from harness.benchmarks.object_localization.scores import CORLOC, DELTAS, HIT, summary
from harness.benchmarks.object_localization.scores.boxes import iou_of_extents, normalize, scale_to_grid, to_grey
from harness.benchmarks.object_localization.scores.discovery import box_at, calibrate, hits_per_threshold
from harness.benchmarks.object_localization.scores.maxboxacc import (
    accuracy_curve,
    best_iou_per_level,
    largest_iou_per_level,
    levels_at,
)


@METRICS.register_module()
class BoxMetric(BaseMetric):
    """Scores the maps that ``LocalizingClassifier`` yields; all values in percent.

    * ``maxboxaccv2`` and ``maxboxaccv2@δ``: all contours, the threshold best for the test set at each δ;
    * ``maxboxacc``: the largest contour at IoU 0.5; ``top1_loc``: the class is right too, at that threshold;
    * ``corloc``: one box per image, IoU at least 0.5 at full resolution. Unless the model gives the box itself, its
      threshold is chosen on images of the training or validation split, which are scored images where training and test
      split are the same (VOC, COCO20k); the note says how many;
    * ``top1``: the highest score belongs to a class of the image.

    Args:
        taus: number of thresholds.

    Attributes:
        per_sample: scores of every test image: ``maxboxaccv2`` and ``corloc`` in percent (their means are the
            metrics), ``best_iou`` at the threshold chosen for IoU 0.5.
        notes: how the threshold of CorLoc was chosen.
        labels: ``map``, where the maps came from.
        threshold: that of CorLoc's box, 0 where the model gives the box itself.
        instances: that box of each test image in pixels of the image, with the first guess at its class and the score of that, as COCO's
            results have them.
    """

    default_prefix = None

    def __init__(self, taus: int = 1000) -> None:
        super().__init__()
        self.taus = np.arange(taus) / taus
        self.per_sample: dict[str, np.ndarray] = {}
        self.notes: list[str] = []
        self.labels: dict[str, str] = {}
        self.threshold = 0.0
        self.instances: list[dict[str, Any]] = []

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        for sample in data_samples:
            height, width = sample["img_shape"][:2]
            image = np.array(sample["ori_shape"][1::-1])
            score = normalize(sample["score_map"], (width, height), sample["map_extent"])
            if sample["calibration"]:
                truth = sample["boxes"] * np.tile((width, height) / image, 2)
                hits = hits_per_threshold(score, truth) if sample["cell_box"] is None else None
                self.results.append({"calibration": True, "path": sample["img_path"], "hits": hits})
                continue
            grey = to_grey(score)
            truth = scale_to_grid(sample["boxes"], tuple(image.tolist()), (width, height))
            guess = int(sample["pred_score"].argmax())
            self.results.append(
                {
                    "calibration": False,
                    "path": sample["img_path"],
                    "source": sample["map_source"],
                    "guess": (guess, float(sample["pred_score"][guess])),
                    "correct": guess in sample["gt_label"].tolist(),
                    "all": best_iou_per_level(grey, truth),
                    "largest": largest_iou_per_level(grey, truth),
                    "peak": int(grey.max()),
                    "single": {key: sample[key] for key in ("score_map", "cell_box", "map_extent", "boxes")}
                    | {"grid": (width, height), "image": image},
                }
            )

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        test = [result for result in results if not result["calibration"]]
        chosen_on = [result for result in results if result["calibration"] and result["hits"] is not None]
        every, largest, peaks, correct = (np.array([r[key] for r in test]) for key in ("all", "largest", "peak", "correct"))
        reached = []
        for delta in DELTAS:
            ious = self._at_best(every, peaks, delta)
            reached.append(ious >= delta)
            if delta == HIT:
                self.per_sample["best_iou"] = ious.astype(np.float32)
        located = self._at_best(largest, peaks, HIT) >= HIT
        self.threshold = calibrate(np.array([result["hits"] for result in chosen_on])) if chosen_on else 0.0
        boxes = [_single_box(result["single"], self.threshold) for result in test]
        single = np.array([iou_of_extents(box[None], r["single"]["boxes"]).max() for box, r in zip(boxes, test, strict=True)]) >= HIT
        self.instances = [_instance(result, box) for result, box in zip(test, boxes, strict=True)]
        metrics, per_sample = summary(np.array(reached), located, single, correct)
        self.per_sample |= per_sample
        sources = Counter(result["source"] for result in test)
        counts = [f"{name} ({count} images)" if len(sources) > 1 else name for name, count in sources.most_common()]
        self.labels = {"map": ", ".join(counts)}
        if chosen_on:
            scored = len({result["path"] for result in test} & {result["path"] for result in chosen_on})
            origin = f", {scored} of which are scored too" if scored else ", none of which is scored"
            self.notes = [
                f"{CORLOC}: threshold {self.threshold:.2f}, chosen on {len(chosen_on)} images of the training or validation split{origin}"
            ]
        return metrics

    def _at_best(self, per_level: np.ndarray, peaks: np.ndarray, delta: float) -> np.ndarray:
        """IoU (images,) at the threshold that is best for the whole test set at ``delta``."""
        best = self.taus[accuracy_curve(per_level, peaks, self.taus, delta).argmax()]
        levels = np.array([levels_at(best, peak) for peak in peaks])
        ious: np.ndarray = per_level[np.arange(len(peaks)), levels]
        return ious


def _single_box(sample: dict[str, Any], threshold: float) -> np.ndarray:
    """The one box of an image, (4,) x0, y0, x1, y1 in its pixels."""
    image, grid = sample["image"], sample["grid"]
    if sample["cell_box"] is None:
        box = box_at(normalize(sample["score_map"], grid, sample["map_extent"]), threshold) * np.tile(image / grid, 2)
    else:
        box = sample["cell_box"] * np.tile(sample["map_extent"] * image / grid, 2)
    return np.asarray(box)


def _instance(result: dict[str, Any], box: np.ndarray) -> dict[str, Any]:
    label, score = result["guess"]
    corner, side = box[:2].tolist(), (box[2:] - box[:2]).tolist()
    return {"image_id": result["path"], "category_id": label, "bbox": [*corner, *side], "score": score}
