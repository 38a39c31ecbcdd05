"""What a model said of each test image, in the file that others read: COCO results, label maps, class probabilities, poses.

=====================================  ==============================================================================
the model predicts                     file
=====================================  ==============================================================================
classes                                ``probabilities.csv``: image, label, and a column for each class
a label map                            ``labels/NAME.png``, a byte for each pixel's class, at the image's own size
keypoints, boxes with their masks      ``results.json``, as COCO's evaluation reads it; an image without a number is its file,
                                       a class the id in the test's own file, or its label where the format has no ids
a vector                               ``vectors.csv``: image, and a column for each number
camera poses                           ``poses.csv``: image, scene, position and quaternion (scalar first), camera to world
=====================================  ==============================================================================
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.files import finite, whole, write_whole
from harness.images import write_image

FOLDER = "predictions"
"""Among a trial's artifacts."""


class Predictions:
    """Collects the samples that a model returns in a test, and writes them.

    Args:
        folder: which must not be there before the first sample is kept.
        classes: names, where the dataset tells them.
        ids: label -> ``category_id`` of boxes, where the dataset's own file has some; a class that it has not is of no use there.
    """

    def __init__(self, folder: Path, classes: Iterable[str] = (), ids: Mapping[int, int] | None = None):
        self.folder, self.classes, self.ids = folder, tuple(classes), ids or {}
        self._rows: dict[str, list[list[Any]]] = {}
        self.results: list[dict[str, Any]] = []
        """Keypoints and boxes, as COCO's evaluation reads them."""
        self._count = 0

    def add(self, samples: Iterable[Any]) -> None:
        """Keep a batch; a kind of sample that has no file here is passed over.

        Raises:
            OSError: a label map cannot be written.
        """
        for sample in samples:
            if sample.get("calibration"):  # looked at to choose a threshold, and not scored
                continue
            image = str(sample.get("img_path", "")) or str(self._count)
            if "pred_sem_seg" in sample:
                name = f"{self._count:06d}-{re.sub('[^A-Za-z0-9_.-]+', '_', Path(image).stem)}.png"
                (self.folder / "labels").mkdir(parents=True, exist_ok=True)
                write_image(self.folder / "labels" / name, _array(sample.pred_sem_seg.data).squeeze(0).astype(np.uint8))
            elif "pred_instances" in sample:
                self.results += _instances(sample, self.ids)
            elif "pred_position" in sample:
                scene, pose = int(sample.pred_scene), [*_array(sample.pred_position), *_array(sample.pred_quaternion)]
                self._row("poses", [image, scene, *(f"{value:.9g}" for value in pose)])
            elif "pred_score" in sample:
                scores = _array(sample.pred_score)
                truth = " ".join(str(label) for label in _array(sample.gt_label).tolist()) if "gt_label" in sample else ""
                self._row("probabilities", [image, truth, *(f"{value:.9g}" for value in scores)])
            elif "pooled" in sample:
                self._row("vectors", [image, *(f"{value:.9g}" for value in _array(sample.pooled))])
            self._count += 1

    def _row(self, name: str, row: list[Any]) -> None:
        self._rows.setdefault(name, []).append(row)

    def write(self) -> None:
        """Write what has been kept.

        Raises:
            OSError: the disk is full, or the folder cannot be made.
        """
        for name, rows in self._rows.items():
            head = self._head(name, len(rows[0]))
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole(self.folder / f"{name}.csv") as stream:
                csv.writer(stream, lineterminator="\n").writerows([head, *rows])
        if self.results:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / "results.json", json.dumps(finite(self.results)))

    def _head(self, name: str, columns: int) -> list[str]:
        match name:
            case "poses":
                return ["image", "scene", "x", "y", "z", "qw", "qx", "qy", "qz"]
            case "vectors":
                return ["image", *map(str, range(columns - 1))]
            case _:
                named = len(self.classes) == columns - 2
                return ["image", "label", *(self.classes if named else map(str, range(columns - 2)))]


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def _instances(sample: Any, ids: Mapping[int, int]) -> list[dict[str, Any]]:
    found, image = sample.pred_instances, sample.get("img_id", "")
    image = int(image) if isinstance(image, (int, np.integer)) else str(image)
    if "keypoints" in found:
        points, scores = _array(found.keypoints), _array(found.keypoint_scores)
        flat = np.concatenate([points, scores[..., None]], axis=-1).reshape(len(points), -1)
        return [
            {"image_id": image, "category_id": 1, "keypoints": row, "score": float(score)}
            for row, score in zip(flat.astype(float).tolist(), scores.mean(axis=-1), strict=True)
        ]
    corners = _array(found.bboxes).astype(float)
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    numbers = zip(sides.tolist(), _array(found.labels).tolist(), _array(found.scores).tolist(), strict=True)
    rows = [{"image_id": image, "category_id": ids.get(label, label), "bbox": box, "score": score} for box, label, score in numbers]
    if "masks" in found:
        for row, mask in zip(rows, _array(found.masks), strict=True):
            row["segmentation"] = run_lengths(mask)
    return [row for row, label in zip(rows, _array(found.labels).tolist(), strict=True) if label in ids or not ids]


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """A mask (H, W) as COCO's files have it."""
    from faster_coco_eval.core import mask as lengths

    packed = lengths.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {**packed, "counts": packed["counts"].decode()}
