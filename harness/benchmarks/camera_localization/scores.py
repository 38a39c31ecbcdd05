"""Errors of camera poses and the numbers made of them (methods: position and orientation median, recall)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.benchmarks.camera_localization.options import recall_name


def position_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Distances in metres between (N, 3) camera centres; infinite where a prediction is not finite."""
    with np.errstate(invalid="ignore"):
        errors = np.linalg.norm(np.asarray(predicted, float) - np.asarray(true, float), axis=-1)
    return np.where(np.isnan(errors), np.inf, errors)


def orientation_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Angles in degrees between the rotations of (N, 4) scalar-first quaternions of any length.

    2 arccos |<p, q>| of the unit quaternions, so that q and -q are one rotation. Evaluated as 4 atan2(|p - q|, |p + q|)
    with the nearer sign of q, which equals it and, unlike arccos, neither leaves its domain by rounding nor loses
    digits at small angles. A prediction that is zero or not finite has no direction and counts as 180 degrees.
    """
    p, q = np.asarray(predicted, float), np.asarray(true, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = p / np.linalg.norm(p, axis=-1, keepdims=True)
        q = q / np.linalg.norm(q, axis=-1, keepdims=True)
        q = np.where((p * q).sum(-1, keepdims=True) < 0, -q, q)
        quarter = np.arctan2(np.linalg.norm(p - q, axis=-1), np.linalg.norm(p + q, axis=-1))
    return np.where(np.isfinite(quarter), np.degrees(4 * quarter), 180.0)


def median(values: np.ndarray, *, lower: bool = False) -> float:
    """Middle value; of an even count the mean of the middle two, or the lower one as ``torch.median`` takes it."""
    if not len(values):
        return float("nan")
    if lower:
        return float(np.sort(values)[(len(values) - 1) // 2])
    with np.errstate(invalid="ignore"):
        return float(np.median(values))


def recall(position: np.ndarray, orientation: np.ndarray, metres: float, degrees: float) -> float:
    """Percentage of frames within both thresholds (inclusive); NaN without frames."""
    if not len(position):
        return float("nan")
    return float(100 * np.mean((position <= metres) & (orientation <= degrees)))


def summarise(
    position: np.ndarray,
    orientation: np.ndarray,
    scene: np.ndarray,
    correct: np.ndarray,
    *,
    scenes: Sequence[str],
    thresholds: Sequence[tuple[float, float]],
    lower: bool = False,
) -> dict[str, float]:
    """Every metric of the family, by name.

    Medians are taken per scene and averaged without weights over the scenes that have frames. A frame whose scene
    was mistaken keeps its (large) errors.

    Args:
        position: (N,) errors in metres.
        orientation: (N,) errors in degrees.
        scene: (N,) index of each frame's true scene in ``scenes``.
        correct: (N,) whether the predicted scene is the true one.
        thresholds: pairs (metres, degrees) of the recalls.
        lower: take the lower of the middle two values as the median of an even count.
    """
    values: dict[str, list[float]] = {"position_median_m": [], "orientation_median_deg": [], "scene_accuracy": []}
    values |= {recall_name(*pair): [] for pair in thresholds}
    result: dict[str, float] = {}
    for index, name in enumerate(scenes):
        mine = scene == index
        if not mine.any():
            continue
        here = {
            "position_median_m": median(position[mine], lower=lower),
            "orientation_median_deg": median(orientation[mine], lower=lower),
            "scene_accuracy": float(100 * np.mean(correct[mine])),
        }
        here |= {recall_name(*pair): recall(position[mine], orientation[mine], *pair) for pair in thresholds}
        for metric, value in here.items():
            values[metric].append(value)
            result[f"{metric}/{name}"] = value
    for metric in ("position_median_m", "orientation_median_deg"):
        result[metric] = float(np.mean(values[metric])) if values[metric] else float("nan")
    result["scene_accuracy"] = float(100 * np.mean(correct)) if len(correct) else float("nan")
    for pair in thresholds:
        name = recall_name(*pair)
        result[name] = recall(position, orientation, *pair)
        result[f"{name}_scene_mean"] = float(np.mean(values[name])) if values[name] else float("nan")
    return result
