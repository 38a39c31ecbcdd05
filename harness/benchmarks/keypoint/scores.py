"""Keypoint scores in plain NumPy: for the floor, and for what mmpose's metrics lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.benchmarks.base import Metric

if TYPE_CHECKING:
    import numpy as np

    from harness.benchmarks.keypoint.options import KeypointData
    from harness.benchmarks.keypoint.readers.pose import Pose

THRESHOLD = 0.05
PCK, MEDIAN, AP, AP50 = f"PCK@{THRESHOLD}", "median_px", "AP", "AP50"
COCO_STATS = {AP: 0, AP50: 1, "AP75": 2, "APM": 3, "APL": 4, "AR": 5}
"""Metric -> its place in what pycocotools sums up."""
MOST_DETECTIONS = 20
"""Predictions an image that pycocotools and mmpose count for AP and AR of key points (``maxDets``), the surest first."""
HEAD_SHARES = (0.5, 0.1)
"""Of the head's length, within which MPII counts a point as found."""
TRUNK = ("pelvis", "thorax")
"""Points that MPII's mean leaves out."""
FLAGS = {"covered": 1, "visible": 2}
"""Kinds of labelled points, by COCO's flag."""

_PREFIX = {"box": "PCK", "head": "PCKh", "torso": "tPCK"}
_USUAL = {"box": THRESHOLD, "head": 0.5, "torso": 0.2}
_LENGTH = {"box": "the box's longer side", "head": "the head's length", "torso": "the torso's length"}


def yardsticks(norm: str, thresholds: Sequence[float]) -> dict[str, tuple[str, float]]:
    """Metric -> what errors are measured against, ``box`` or ``norm``, and the share of it; ``PCK@0.05`` first, each once."""
    wanted = [("box", THRESHOLD), *((norm, share) for share in thresholds or (_USUAL[norm],))]
    return {f"{_PREFIX[against]}@{share:g}": (against, share) for against, share in wanted}


def metrics(data: KeypointData) -> list[Metric]:
    """What a trial reports; PCK also per joint, and per kind of ``FLAGS``."""
    found = [
        Metric(name, "%", True, f"Points within {100 * share:g} % of {_LENGTH[against]}", per_scene=True)
        for name, (against, share) in yardsticks(data.norm, data.thresholds).items()
    ]
    found.insert(1, Metric(MEDIAN, "px", False, "Median error in pixels of the original image"))
    if not data.has_truth:
        found = []
    if data.has_head:
        found += [
            Metric(f"PCKh@{share:g}", "%", True, f"Points within {100 * share:g} % of the head's length", per_scene=True)
            for share in HEAD_SHARES
        ]
    if data.has_ap:
        found += [Metric(AP, "%", True, "COCO average precision (OKS 0.50 to 0.95)"), Metric(AP50, "%", True, "AP at OKS 0.50")]
    if data.has_ap and data.has_every_ap:
        found += [
            Metric("AP75", "%", True, "AP at OKS 0.75"),
            Metric("APM", "%", True, "AP of figures of 32 to 96 pixels"),
            Metric("APL", "%", True, "AP of larger figures"),
            Metric("AR", "%", True, "COCO average recall"),
        ]
    return found


def head_accuracy(far: np.ndarray, heads: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """MPII's PCKh in percent: the share of all labelled points within a share of their figure's head, pelvis and thorax left out.

    Unlike :func:`pck` it is no mean over joints: a joint weighs as often as it is labelled. Also given for each joint.

    Args:
        far: (N, K) distances in pixels, NaN where not labelled.
        heads: (N,) pixels.
        names: of the K joints.
    """
    import numpy as np

    labelled = np.isfinite(far)
    counted = np.array([name not in TRUNK for name in names])
    values = {}
    for share in HEAD_SHARES:
        hits = labelled & (far < share * heads[:, None])
        every = labelled[:, counted].sum()
        values[f"PCKh@{share:g}"] = 100 * float(hits[:, counted].sum() / every) if every else float("nan")
        for k, name in enumerate(names):
            if labelled[:, k].any():
                values[f"PCKh@{share:g}/{name}"] = 100 * float(hits[:, k].sum() / labelled[:, k].sum())
    return values


def segment_lengths(truth: np.ndarray, flags: np.ndarray, names: Sequence[str], segment: Sequence[str]) -> np.ndarray:
    """(N,) pixels between the two keypoints called ``segment``; NaN where one is not labelled, or both lie in one place.

    Args:
        truth: (N, K, 2) pixels.
        flags: (N, K), 0 where not labelled.
        names: of the K keypoints.
    """
    import numpy as np

    a, b = (names.index(end) for end in segment)
    lengths = np.linalg.norm(truth[:, a] - truth[:, b], axis=-1)
    return np.where((flags[:, a] > 0) & (flags[:, b] > 0) & (lengths > 0), lengths, np.nan)


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


def joint_parts(hits_of: Mapping[str, float]) -> dict[str, float]:
    """Joint -> value under the name of a metric's part: kinds of points keep theirs, and a slash would end the metric's name."""
    return {f"joint {name}" if name in FLAGS else name.replace("/", "|"): value for name, value in hits_of.items()}


def summary(
    far: np.ndarray,
    flags: np.ndarray,
    lengths: np.ndarray,
    names: Sequence[str] = (),
    against: Mapping[str, tuple[np.ndarray, float]] | None = None,
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Metrics over all samples, and scores per sample (NaN for a sample without labelled points).

    Where covered and visible points both occur, PCK is also given for each kind; of several joints for each that is labelled.

    Args:
        far: (N, K) distances in pixels, NaN where not labelled.
        flags: (N, K).
        lengths: (N,) pixels, the longer side of each box.
        names: of the K joints; without them nothing is given per joint.
        against: further metrics -> (N,) pixels that errors are measured against, NaN for a sample that is left out, and the share.
    """
    import numpy as np

    labelled = np.isfinite(far)
    median = float(np.median(far[labelled])) if labelled.any() else float("nan")
    values = {PCK: pck(far, lengths), MEDIAN: median}
    for metric, (norm, share) in {PCK: (lengths, THRESHOLD), **(against or {})}.items():
        known = np.where(np.isfinite(norm)[:, None], far, np.nan)
        values[metric] = pck(known, norm, share)
        each = {name: pck(known[:, [k]], norm, share) for k, name in enumerate(names) if np.isfinite(known[:, k]).any()}
        if len(names) > 1:
            values |= {f"{metric}/{part}": value for part, value in joint_parts(each).items()}
    kinds = {name: flags == flag for name, flag in FLAGS.items()}
    if all(mask.any() for mask in kinds.values()):
        values |= {f"{PCK}/{name}": pck(np.where(mask, far, np.nan), lengths) for name, mask in kinds.items()}
    count = labelled.sum(axis=1)
    some = np.where(count, count, np.nan)
    hits = (labelled & (far < THRESHOLD * lengths[:, None])).sum(axis=1)
    per_sample = {PCK: 100 * hits / some, "mean_px": np.where(labelled, far, 0).sum(axis=1) / some}
    return values, {name: each.astype(np.float32) for name, each in per_sample.items()}


def further(
    norm: str,
    thresholds: Sequence[float],
    segment: Sequence[str],
    names: Sequence[str],
    truth: np.ndarray,
    flags: np.ndarray,
    box: np.ndarray,
) -> dict[str, tuple[np.ndarray, float]]:
    """The metrics beside ``PCK@0.05`` -> their lengths (N,) and shares, for :func:`summary`."""
    lengths = box if norm == "box" else segment_lengths(truth, flags, names, segment)
    return {name: (lengths, share) for name, (_, share) in yardsticks(norm, thresholds).items() if name != PCK}


def average_precision(predicted: np.ndarray, poses: list[Pose], sigmas: tuple[float, ...], *, every: bool = False) -> dict[str, float]:
    """COCO's AP and AP50 (%), or ``every`` one of ``COCO_STATS``, of one prediction per annotated pose, all equally sure.

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
    return {name: percent(evaluation.stats[place]) for name, place in COCO_STATS.items() if every or name in (AP, AP50)}


def percent(stat: float) -> float:
    """Of what pycocotools sums up, in which -1 stands for nothing to be found: NaN."""
    return 100 * float(stat) if stat >= 0 else float("nan")


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
