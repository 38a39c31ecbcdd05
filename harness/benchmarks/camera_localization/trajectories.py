"""True and predicted paths of a test run, scene by scene, in the plane that shows most of them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.benchmarks.camera_localization import scores

FILE = "predictions.npz"
"""Name among a trial's artifacts; what :attr:`harness.benchmarks.camera_localization.mm.metric.PoseMetric.predictions` holds."""

_LONGEST_STEP = 10.0
"""Times the median step between frames, from which on a path is broken: another sequence begins."""

_LARGEST = 2**28
"""Bytes of a file's content from which on it is none of ours, and is not read."""


@dataclass(frozen=True)
class Trajectory:
    """The test frames of a scene in their order; arrays have one row per frame."""

    scene: str
    axes: tuple[str, str]
    """Across and up, of ``x``, ``y`` and ``z``: the two in which the true path is widest."""
    true: np.ndarray
    """(N, 2) camera centres."""
    predicted: np.ndarray
    """(N, 2)."""
    part: np.ndarray
    """(N,) number of the unbroken piece of the path that a frame is of."""
    position_error: np.ndarray
    """(N,) in the benchmark's unit of length, in all three dimensions."""
    orientation_error: np.ndarray
    """(N,) in degrees."""


def trajectories(predictions: Mapping[str, np.ndarray], scenes: Sequence[str]) -> list[Trajectory]:
    """The scenes that have test frames, in their order.

    Args:
        predictions: see :class:`~harness.benchmarks.camera_localization.mm.metric.PoseMetric`.
        scenes: their names; one without gets its number.
    """
    position = scores.position_errors(predictions["pred_position"], predictions["position"])
    orientation = scores.orientation_errors(predictions["pred_quaternion"], predictions["quaternion"])
    found = []
    for index in np.unique(predictions["scene"]).astype(int).tolist():
        mine = predictions["scene"] == index
        true = predictions["position"][mine]
        across, up = sorted(np.argsort(np.ptp(true, axis=0))[-2:].tolist())
        steps = np.linalg.norm(np.diff(true, axis=0), axis=1)
        broken = steps > _LONGEST_STEP * max(float(np.median(steps)), 1e-9) if len(steps) else np.empty(0, bool)
        found.append(
            Trajectory(
                scene=scenes[index] if 0 <= index < len(scenes) else str(index),
                axes=("xyz"[across], "xyz"[up]),
                true=true[:, [across, up]],
                predicted=predictions["pred_position"][mine][:, [across, up]],
                part=np.concatenate([[0], np.cumsum(broken)]).astype(int),
                position_error=position[mine],
                orientation_error=orientation[mine],
            )
        )
    return found


def load(file: Path) -> dict[str, np.ndarray]:
    """The arrays of :data:`FILE`. Nothing in the file is believed: no code is run and no more than its size read.

    Raises:
        ValueError: the file is missing, torn or of another kind; the message is a clause for people.
    """
    widths = {"position": (3,), "quaternion": (4,), "scene": ()}
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError(f"it holds more than {_LARGEST >> 20} MiB")
        with np.load(file, allow_pickle=False) as arrays:
            found = {name: np.asarray(arrays[name]) for stem in widths for name in (stem, f"pred_{stem}")}
    except FileNotFoundError:
        raise ValueError("the file is missing") from None
    except (OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the poses cannot be read ({error})") from None
    count = len(found["scene"]) if found["scene"].ndim else 0
    for name, values in found.items():
        if values.shape != (count, *widths[name.removeprefix("pred_")]) or values.dtype.kind not in "fiu":
            raise ValueError(f"the poses cannot be read ({name} has the shape {values.shape})")
    return found
