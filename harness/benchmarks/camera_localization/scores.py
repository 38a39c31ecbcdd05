"""Errors of camera poses and the numbers made of them (methods: position and orientation median, recall)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.benchmarks.base import Metric
from harness.benchmarks.camera_localization.options import CameraData

if TYPE_CHECKING:
    import numpy as np

_ORIENTATION = Metric("orientation_median_deg", "deg", False, "Median orientation error", per_scene=True)
_SCENE = Metric("scene_accuracy", "%", True, "Scene accuracy", per_scene=True)


def _position(length: str) -> Metric:
    """The name says metres only where they are."""
    return Metric("position_median_m" if length == "m" else "position_median", length, False, "Median position error", per_scene=True)


def _recalls(distance: float, degrees: float, length: str) -> tuple[Metric, Metric]:
    """Share of the frames within both thresholds: of all frames, and the mean of the scenes' shares."""
    name = f"recall_{distance:g}{'m' if length == 'm' else ''}_{degrees:g}deg"
    title = f"Recall at {distance:g} {length}, {degrees:g}°"
    return Metric(name, "%", True, title, per_scene=True), Metric(f"{name}_scene_mean", "%", True, f"{title}, mean of scenes")


def metrics(data: CameraData) -> list[Metric]:
    """What a trial reports."""
    recalls = (metric for pair in data.pairs for metric in _recalls(*pair, data.length))
    return [_position(data.length), _ORIENTATION, _SCENE, *recalls]


def position_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Distances between (N, 3) camera centres; infinite where a prediction is not finite."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        errors = np.linalg.norm(np.asarray(predicted, float) - np.asarray(true, float), axis=-1)
    return np.where(np.isnan(errors), np.inf, errors)


def orientation_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Angles in degrees between the rotations of (N, 4) scalar-first quaternions of any length.

    2 arccos |<p, q>| of the unit quaternions, so that q and -q are one rotation. Evaluated as 4 atan2(|p - q|, |p + q|)
    with the nearer sign of q, which equals it and, unlike arccos, neither leaves its domain by rounding nor loses
    digits at small angles. A prediction that is zero or not finite has no direction and counts as 180 degrees.
    """
    import numpy as np

    p, q = np.asarray(predicted, float), np.asarray(true, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = p / np.linalg.norm(p, axis=-1, keepdims=True)
        q = q / np.linalg.norm(q, axis=-1, keepdims=True)
        q = np.where((p * q).sum(-1, keepdims=True) < 0, -q, q)
        quarter = np.arctan2(np.linalg.norm(p - q, axis=-1), np.linalg.norm(p + q, axis=-1))
    return np.where(np.isfinite(quarter), np.degrees(4 * quarter), 180.0)


def median(values: np.ndarray, *, lower: bool = False) -> float:
    """Middle value; of an even count the mean of the middle two, or the lower one as ``torch.median`` takes it."""
    import numpy as np

    if not len(values):
        return float("nan")
    if lower:
        return float(np.sort(values)[(len(values) - 1) // 2])
    with np.errstate(invalid="ignore"):
        return float(np.median(values))


def recall(position: np.ndarray, orientation: np.ndarray, distance: float, degrees: float) -> float:
    """Percentage of frames within both thresholds (inclusive); NaN without frames."""
    return _percentage((position <= distance) & (orientation <= degrees))


def summarise(
    position: np.ndarray,
    orientation: np.ndarray,
    scene: np.ndarray,
    correct: np.ndarray,
    *,
    scenes: Sequence[str],
    thresholds: Sequence[tuple[float, float]],
    lower: bool = False,
    length: str = "m",
) -> dict[str, float]:
    """Every metric of the family, by name.

    Medians are taken per scene and averaged without weights over the scenes that have frames. A frame whose scene
    was mistaken keeps its (large) errors.

    Args:
        position: (N,) errors in ``length``.
        orientation: (N,) errors in degrees.
        scene: (N,) index of each frame's true scene in ``scenes``.
        correct: (N,) whether the predicted scene is the true one.
        thresholds: pairs (distance, degrees) of the recalls.
        lower: take the lower of the middle two values as the median of an even count.
        length: the unit of distances, ``m`` or ``scene units``.
    """
    import numpy as np

    where = _position(length)
    recalls = [(pair, *_recalls(*pair, length)) for pair in thresholds]

    def of(mine: np.ndarray) -> dict[str, float]:
        return {
            where.name: median(position[mine], lower=lower),
            _ORIENTATION.name: median(orientation[mine], lower=lower),
            _SCENE.name: _percentage(correct[mine]),
            **{metric.name: recall(position[mine], orientation[mine], *pair) for pair, metric, _ in recalls},
        }

    parts = {name: of(scene == index) for index, name in enumerate(scenes) if (scene == index).any()}
    total = of(np.ones(len(scene), dtype=bool))

    def mean(metric: Metric) -> float:
        return float(np.mean([part[metric.name] for part in parts.values()])) if parts else float("nan")

    total |= {metric.name: mean(metric) for metric in (where, _ORIENTATION)}
    total |= {average.name: mean(metric) for _, metric, average in recalls}
    return {f"{metric}/{name}": value for name, part in parts.items() for metric, value in part.items()} | total


def _percentage(hits: np.ndarray) -> float:
    return float(100 * hits.mean()) if len(hits) else float("nan")
