"""Pictures of a test run: paths seen from the side that shows most, error curves, recall curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.benchmarks.camera_localization import scores
from harness.benchmarks.camera_localization.trajectories import Trajectory
from harness.benchmarks.camera_localization.trajectories import trajectories as paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRUE, _PREDICTED = "#1b6ca8", "#d1495b"


def draw(
    predictions: dict[str, np.ndarray],
    scenes: Sequence[str],
    thresholds: Sequence[tuple[float, float]],
    folder: Path,
    length: str = "m",
) -> list[Path]:
    """Write ``trajectories.png`` and ``errors.png``.

    Args:
        predictions: N test frames in the order of the test set, see :class:`PoseMetric`: ``position`` (N, 3), ``quaternion``
            (N, 4), ``scene`` (N,), and the same with ``pred_``.
        thresholds: (distance, degrees) pairs of the recalls.
        folder: made if it does not exist.
        length: the unit of distances.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [
        trajectories(predictions, scenes, folder / "trajectories.png", length),
        errors(predictions, scenes, thresholds, folder / "errors.png", length),
    ]


def trajectories(predictions: dict[str, np.ndarray], scenes: Sequence[str], file: Path, length: str) -> Path:
    """True and predicted camera centres, one panel per scene, in the plane of the two widest axes of the true path."""
    from matplotlib.figure import Figure

    present = paths(predictions, scenes)
    columns = min(4, len(present))
    rows = math.ceil(len(present) / columns)
    figure = Figure(figsize=(4 * columns, 3.8 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for panel in panels[len(present) :]:
        panel.set_axis_off()
    for panel, path in zip(panels, present, strict=False):
        _draw(panel, path, length)
        panel.set_title(path.scene)
    panels[0].legend(loc="best", fontsize=8)
    figure.savefig(file, dpi=100)
    return file


def _draw(panel: Axes, path: Trajectory, length: str) -> None:
    true, predicted = path.true, path.predicted
    for number in np.unique(path.part):
        part = true[path.part == number]
        panel.plot(part[:, 0], part[:, 1], color=_TRUE, linewidth=1.5, label=None if number else "true")
    # one collection of separated segments is far quicker to draw than a line per frame
    links = np.full((3 * len(true), 2), np.nan)
    links[0::3], links[1::3] = true, predicted
    panel.plot(links[:, 0], links[:, 1], color=_PREDICTED, linewidth=0.4, alpha=0.5)
    panel.plot(predicted[:, 0], predicted[:, 1], ".", color=_PREDICTED, markersize=4, label="predicted")
    panel.set_xlabel(f"{path.axes[0]} ({length})")
    panel.set_ylabel(f"{path.axes[1]} ({length})")
    panel.set_aspect("equal", adjustable="datalim")


def errors(
    predictions: dict[str, np.ndarray], scenes: Sequence[str], thresholds: Sequence[tuple[float, float]], file: Path, length: str
) -> Path:
    """Cumulative errors of position and orientation per scene, and the recall, where there is one, as the position threshold grows."""
    from matplotlib.figure import Figure

    position = scores.position_errors(predictions["pred_position"], predictions["position"])
    orientation = scores.orientation_errors(predictions["pred_quaternion"], predictions["quaternion"])
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    left, middle, *rest = figure.subplots(1, 3 if thresholds else 2)
    for panel, values, label in ((left, position, f"position error ({length})"), (middle, orientation, "orientation error (°)")):
        for index, name in enumerate(scenes):
            mine = np.sort(values[(predictions["scene"] == index) & np.isfinite(values)])
            if len(mine):
                total = np.count_nonzero(predictions["scene"] == index)
                panel.step(mine, 100 * np.arange(1, len(mine) + 1) / total, where="post", label=name)
        panel.axhline(50, color="grey", linewidth=0.5)
        panel.set(xlabel=label, ylabel="frames (%)", ylim=(0, 100), xlim=(0, None))
        panel.legend(fontsize=8)
    for right in rest:
        reach = np.linspace(0, 3 * max(distance for distance, _ in thresholds), 200)
        for degrees in sorted({degrees for _, degrees in thresholds}):
            found = 100 * ((position[:, None] <= reach) & (orientation[:, None] <= degrees)).mean(0)
            (line,) = right.plot(reach, found, label=f"within {degrees:g}°")
            marks = [distance for distance, other in thresholds if other == degrees]
            right.plot(marks, [scores.recall(position, orientation, distance, degrees) for distance in marks], "o", color=line.get_color())
        right.set(xlabel=f"position threshold ({length})", ylabel="recall (%)", ylim=(0, 100), xlim=(0, None))
        right.legend(fontsize=8)
    figure.savefig(file, dpi=100)
    return file
