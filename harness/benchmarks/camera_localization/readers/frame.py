"""One posed image, and the checks of poses that all readers share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import Listing, Problem
from harness.benchmarks.camera_localization.options import Unit

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 0.02
"""Largest entry of R R^T - 1 that counts as rounding; 7-Scenes has 4e-4, a wrong matrix has far more."""

_ROUNDING = 1e-5
"""Largest difference of a last row from 0 0 0 1."""

FARTHEST = 1e6
"""Units from the origin. Models compute in single precision, which is off by 0.06 there."""

_FACTOR = {"cm": 1e-2, "mm": 1e-3}
"""Unit -> what positions are multiplied by; others are kept."""

_LOST = "delete the frame, give its pose, or leave such frames out with data.skip_lost: true"


@dataclass(frozen=True)
class Frame:
    """One posed image."""

    image: str
    """Path relative to the dataset's root; as a scene's reader yields it, relative to the scene's folder."""
    position: np.ndarray
    """Camera centre (3,), in metres, or in units of the scene."""
    quaternion: np.ndarray
    """Camera-to-world rotation (4,), unit length, scalar first."""
    scene: int = 0
    """Index of the scene in the dataset."""
    moment: str = ""
    """Name that all frames of one moment share where several cameras of a rig took them; else empty."""


@dataclass(frozen=True)
class Lost(Problem):
    """A frame whose pose says that the tracking was lost; left out where ``skip_lost`` says so."""

    mend: str = _LOST


@dataclass
class Frames(Listing[Frame]):
    """The frames of the splits, scene after scene."""

    videos: bool = True

    def files_of(self, sample: Frame) -> tuple[Path, ...]:
        return (self.root / sample.image,)

    def together(self, sample: Frame) -> Path:
        return self.root / (sample.moment or sample.image)

    def stratum(self, sample: Frame) -> int:
        return sample.scene


def natural(name: str) -> tuple[list[str | int], str]:
    """Key of the order in which people count: ``2`` before ``10``."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name))], name


def number(text: str) -> float:
    """A number as text, also as C on Windows writes what is none: ``-1.#IND00``, ``1.#QNAN``, ``-1.#INF``.

    Raises:
        ValueError: it is none.
    """
    try:
        return float(text)
    except ValueError:
        if not re.fullmatch(r"[+-]?1\.#[A-Za-z]+\d*", text):
            raise
        return float("inf" if "INF" in text.upper() else "nan")


def from_matrix(image: str, pose: np.ndarray, where: str, unit: Unit = "m") -> Frame | Problem:
    """A frame from a 4x4 (or 3x4) camera-to-world matrix in OpenCV axes; its quaternion has w >= 0."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    if pose.shape not in ((4, 4), (3, 4)):
        return Problem(where, f"the pose has shape {pose.shape}, expected 4x4", "write four rows of four numbers")
    if not np.isfinite(pose).all():
        return Lost(where, "the pose holds NaN or infinite values")
    if not pose[:3].any():
        return Lost(where, "the pose is zero throughout")
    if pose.shape == (4, 4) and abs(pose[3] - (0, 0, 0, 1)).max() > _ROUNDING:
        if abs(pose[:, 3] - (0, 0, 0, 1)).max() <= _ROUNDING:
            return Problem(
                where, "the pose is transposed: 0 0 0 1 is its last column", "write the matrix row by row, 0 0 0 1 as its last row"
            )
        return Problem(where, "the last row of the pose is not 0 0 0 1", "write the matrix row by row")
    matrix = pose[:3, :3]
    mend = "give a rotation matrix without scale or shear"
    if np.linalg.det(matrix) <= 0:
        return Problem(where, "the pose's rotation is a reflection or degenerate", f"{mend}; mirrored axes are no camera's")
    square = matrix @ matrix.T
    if np.abs(square - np.eye(3)).max() > TOLERANCE:
        scale = float(np.sqrt(np.trace(square) / 3))
        if np.abs(square / scale**2 - np.eye(3)).max() <= TOLERANCE:
            what = f"the pose's matrix is off a rotation by a factor: it is scaled by {scale:.4g}"
            return Problem(where, what, f"divide its three columns of rotation by {scale:.4g}, and see whether positions are scaled, too")
        return Problem(where, f"the pose's matrix is off a rotation by {np.abs(square - np.eye(3)).max():.2g}", mend)
    # SciPy takes the nearest rotation in the Frobenius norm; poses printed with few digits are none exactly
    return _placed(image, pose[:3, 3], Rotation.from_matrix(matrix).as_quat(canonical=True, scalar_first=True), where, unit)


def from_quaternion(image: str, position: np.ndarray, world_to_camera: np.ndarray, where: str, unit: Unit = "m") -> Frame | Problem:
    """A frame from a camera centre and the scalar-first quaternion of the world-to-camera rotation; w keeps its sign."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    if not (np.isfinite(position).all() and np.isfinite(world_to_camera).all()):
        return Lost(where, "the pose holds NaN or infinite values")
    length = float(np.linalg.norm(world_to_camera))
    if length == 0:
        return Lost(where, "the quaternion is zero")
    if abs(length - 1) > TOLERANCE:
        return Problem(where, f"the quaternion has length {length:.3g}, not 1", "give a unit quaternion, scalar first")
    rotation = Rotation.from_quat(world_to_camera, scalar_first=True).inv()
    return _placed(image, position, rotation.as_quat(scalar_first=True), where, unit)


def _placed(image: str, position: np.ndarray, quaternion: np.ndarray, where: str, unit: Unit) -> Frame | Problem:
    position = position.astype(float) * _FACTOR.get(unit, 1)
    farthest = float(abs(position).max())
    if farthest > FARTHEST:
        what = f"the position is {farthest:.3g} {'m' if unit in _FACTOR else unit} from the origin"
        return Problem(where, what, f"give positions in {'metres' if unit == 'm' else unit} from an origin near the scene")
    return Frame(image, position, quaternion)
