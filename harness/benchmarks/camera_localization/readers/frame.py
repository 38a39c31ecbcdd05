"""One posed image, and the checks of poses that all readers share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import Listing, Problem

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 0.02
"""Largest entry of R R^T - 1 that counts as rounding; 7-Scenes has 4e-4, a wrong matrix has far more."""

FARTHEST = 1e6
"""Metres from the origin. Models compute in single precision, which is off by 6 cm there."""


@dataclass(frozen=True)
class Frame:
    """One posed image."""

    image: str
    """Path relative to the dataset's root; as a scene's reader yields it, relative to the scene's folder."""
    position: np.ndarray
    """Camera centre (3,), metres."""
    quaternion: np.ndarray
    """Camera-to-world rotation (4,), unit length, scalar first."""
    scene: int = 0
    """Index of the scene in the dataset."""


@dataclass
class Frames(Listing[Frame]):
    """The frames of both splits, scene after scene."""

    def files_of(self, sample: Frame) -> tuple[Path, ...]:
        return (self.root / sample.image,)


def from_matrix(image: str, pose: np.ndarray, where: str) -> Frame | Problem:
    """A frame from a 4x4 (or 3x4) camera-to-world matrix in OpenCV axes; its quaternion has w >= 0."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    if pose.shape not in ((4, 4), (3, 4)):
        return Problem(where, f"the pose has shape {pose.shape}, expected 4x4", "write four rows of four numbers")
    if not np.isfinite(pose).all():
        return Problem(where, "the pose holds NaN or infinite values", "delete the frame, or give its pose")
    if pose.shape == (4, 4) and not np.allclose(pose[3], (0, 0, 0, 1), atol=1e-6):
        return Problem(where, "the last row of the pose is not 0 0 0 1", "write the matrix row by row")
    if problem := _too_far(pose[:3, 3], where):
        return problem
    matrix = pose[:3, :3]
    mend = "give a rotation matrix without scale or shear"
    if np.linalg.det(matrix) <= 0:
        return Problem(where, "the pose's rotation is a reflection or degenerate", mend)
    defect = np.abs(matrix @ matrix.T - np.eye(3)).max()
    if defect > TOLERANCE:
        return Problem(where, f"the pose's matrix is off a rotation by {defect:.2g}", mend)
    # SciPy takes the nearest rotation in the Frobenius norm; poses printed with few digits are none exactly
    return Frame(image, pose[:3, 3].astype(float), Rotation.from_matrix(matrix).as_quat(canonical=True, scalar_first=True))


def from_quaternion(image: str, position: np.ndarray, world_to_camera: np.ndarray, where: str) -> Frame | Problem:
    """A frame from a camera centre and the scalar-first quaternion of the world-to-camera rotation; w keeps its sign."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    if not (np.isfinite(position).all() and np.isfinite(world_to_camera).all()):
        return Problem(where, "the pose holds NaN or infinite values", "delete the frame, or give its pose")
    if problem := _too_far(position, where):
        return problem
    length = float(np.linalg.norm(world_to_camera))
    if abs(length - 1) > TOLERANCE:
        return Problem(where, f"the quaternion has length {length:.3g}, not 1", "give a unit quaternion, scalar first")
    rotation = Rotation.from_quat(world_to_camera, scalar_first=True).inv()
    return Frame(image, position.astype(float), rotation.as_quat(scalar_first=True))


def _too_far(position: np.ndarray, where: str) -> Problem | None:
    farthest = float(abs(position).max())
    if farthest <= FARTHEST:
        return None
    return Problem(where, f"the position is {farthest:.3g} m from the origin", "give positions in metres from an origin near the scene")
