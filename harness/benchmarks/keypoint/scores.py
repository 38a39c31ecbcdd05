"""Keypoint scores in plain NumPy: for the floor, and for what mmpose's metrics lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.benchmarks.base import Metric

if TYPE_CHECKING:
    import numpy as np

    from harness.benchmarks.keypoint.options import KeypointData
    from harness.benchmarks.keypoint.readers.pose import Pose

THRESHOLD = 0.05
PCK, MEDIAN, AP, AP50 = f"PCK@{THRESHOLD}", "median_px", "AP", "AP50"
FLAGS = {"covered": 1, "visible": 2}
"""Kinds of labelled points, by COCO's flag."""


def metrics(data: KeypointData) -> list[Metric]:
    """What a trial reports; PCK also per kind of ``FLAGS``."""
    found = [
        Metric(PCK, "%", True, "Points within 5 % of the box's longer side", per_scene=True),
        Metric(MEDIAN, "px", False, "Median error in pixels of the original image"),
    ]
    if data.has_ap:
        found += [Metric(AP, "%", True, "COCO average precision (OKS 0.50 to 0.95)"), Metric(AP50, "%", True, "AP at OKS 0.50")]
    return found


def distances(predicted: np.ndarray, truth: np.ndarray, flags: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Distances in pixels, (N, K), NaN where a point is not labelled.

    A predicted coordinate that is no finite number counts as a miss by the normalising length.

    Args:
        predicted: (N, K, 2) pixels.
        truth: (N, K, 2) pixels.
        flags: (N, K), 0 where not labelled.
        lengths: (N,) pixels, the longer side of each box.
    """
    import numpy as np

    far = np.linalg.norm(predicted - truth, axis=-1)
    far = np.where(np.isfinite(far), far, lengths[:, None])
    return np.where(flags > 0, far, np.nan)


def pck(far: np.ndarray, lengths: np.ndarray, threshold: float = THRESHOLD) -> float:
    """Percentage of correct keypoints: the share within ``threshold`` lengths per joint, averaged over the joints.

    Joints that are labelled nowhere are left out (mmpose's ``PCKAccuracy``); NaN if that leaves none.

    Args:
        far: (N, K) distances in pixels, NaN where not labelled.
        lengths: (N,) pixels.
    """
    import numpy as np

    labelled = np.isfinite(far)
    seen = labelled.sum(axis=0)
    hits = (labelled & (far < threshold * lengths[:, None])).sum(axis=0)
    return 100 * float((hits[seen > 0] / seen[seen > 0]).mean()) if seen.any() else float("nan")


def summary(far: np.ndarray, flags: np.ndarray, lengths: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Metrics over all samples, and scores per sample (NaN for a sample without labelled points).

    Where covered and visible points both occur, PCK is also given for each kind.
    """
    import numpy as np

    labelled = np.isfinite(far)
    values = {PCK: pck(far, lengths), MEDIAN: float(np.median(far[labelled])) if labelled.any() else float("nan")}
    kinds = {name: flags == flag for name, flag in FLAGS.items()}
    if all(mask.any() for mask in kinds.values()):
        values |= {f"{PCK}/{name}": pck(np.where(mask, far, np.nan), lengths) for name, mask in kinds.items()}
    count = labelled.sum(axis=1)
    some = np.where(count, count, np.nan)
    hits = (labelled & (far < THRESHOLD * lengths[:, None])).sum(axis=1)
    per_sample = {PCK: 100 * hits / some, "mean_px": np.where(labelled, far, 0).sum(axis=1) / some}
    return values, {name: each.astype(np.float32) for name, each in per_sample.items()}


def average_precision(predicted: np.ndarray, poses: list[Pose], sigmas: tuple[float, ...]) -> dict[str, float]:
    """COCO's AP and AP50 (%) of one prediction per annotated pose, all equally sure.

    Args:
        predicted: (N, K, 2) pixels.
        sigmas: fall-off of the object keypoint similarity per point.
    """
    import contextlib
    import io

    from harness._coco import COCO, COCOeval

    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in sorted({pose.image_id for pose in poses})],
        "annotations": [coco_annotation(pose) for pose in poses],
        "categories": [{"id": 1}],
    }
    results = [
        {"image_id": pose.image_id, "category_id": 1, "score": 1.0, "keypoints": [v for x, y in points.tolist() for v in (x, y, 1)]}
        for pose, points in zip(poses, predicted, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):  # the evaluator reports its progress
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints", sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {AP: 100 * float(evaluation.stats[0]), AP50: 100 * float(evaluation.stats[1])}


def coco_annotation(pose: Pose) -> dict[str, Any]:
    """A pose in COCO's form."""
    x0, y0, x1, y1 = pose.box
    return {
        "id": pose.annotation_id,
        "image_id": pose.image_id,
        "category_id": 1,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": pose.area,
        "iscrowd": 0,
        "num_keypoints": int((pose.visible > 0).sum()),
        "keypoints": [v for (x, y), flag in zip(pose.points.tolist(), pose.visible.tolist(), strict=True) for v in (x, y, flag)],
    }
