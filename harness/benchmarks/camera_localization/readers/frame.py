"""One posed image, and the checks all readers share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.benchmarks.base import Problem
from harness.benchmarks.camera_localization import geometry

TOLERANCE = 0.02
"""Largest entry of R R^T - 1 that counts as rounding; 7-Scenes has 4e-4, a wrong matrix has far more."""


FARTHEST = 1e6
"""Metres from the origin. Models compute in single precision, which is off by 6 cm there."""


@dataclass(frozen=True)
class Frame:
    """One posed image.

    Attributes:
        image: path relative to the scene's folder; to the dataset's root once it is :meth:`inside` a scene.
        position: camera centre (3,), metres.
        quaternion: camera-to-world rotation (4,), unit length, scalar first.
        scene: index of the scene in the dataset.
    """

    image: str
    position: np.ndarray
    quaternion: np.ndarray
    scene: int = 0

    def inside(self, folder: str, scene: int) -> Frame:
        """The same frame seen from the dataset's root."""
        return replace(self, image=f"{folder}/{self.image}".removeprefix("./"), scene=scene)


def from_matrix(image: str, pose: np.ndarray, where: str) -> Frame | Problem:
    """A frame from a 4x4 (or 3x4) camera-to-world matrix in OpenCV axes."""
    if pose.shape not in ((4, 4), (3, 4)):
        return Problem(where, f"the pose has shape {pose.shape}, expected 4x4", "write four rows of four numbers")
    if not np.isfinite(pose).all():
        return Problem(where, "the pose holds NaN or infinite values", "delete the frame, or give its pose")
    if pose.shape == (4, 4) and not np.allclose(pose[3], (0, 0, 0, 1), atol=1e-6):
        return Problem(where, "the last row of the pose is not 0 0 0 1", "write the matrix row by row")
    if problem := _too_far(pose[:3, 3], where):
        return problem
    defect = geometry.rotation_defect(pose[:3, :3])
    if defect > TOLERANCE:
        reflected = "the pose's rotation is a reflection or degenerate"
        what = reflected if defect == 2.0 else f"the pose's matrix is off a rotation by {defect:.2g}"
        return Problem(where, what, "give a rotation matrix without scale or shear")
    rotation = geometry.project_to_rotation(pose[:3, :3])
    return Frame(image, pose[:3, 3].astype(float), geometry.quaternion_of(rotation))


def from_quaternion(image: str, position: np.ndarray, world_to_camera: np.ndarray, where: str) -> Frame | Problem:
    """A frame from a camera centre and the scalar-first quaternion of the world-to-camera rotation."""
    if not (np.isfinite(position).all() and np.isfinite(world_to_camera).all()):
        return Problem(where, "the pose holds NaN or infinite values", "delete the frame, or give its pose")
    if problem := _too_far(position, where):
        return problem
    length = float(np.linalg.norm(world_to_camera))
    if abs(length - 1) > TOLERANCE:
        return Problem(where, f"the quaternion has length {length:.3g}, not 1", "give a unit quaternion, scalar first")
    return Frame(image, position.astype(float), geometry.conjugate(world_to_camera / length))


def _too_far(position: np.ndarray, where: str) -> Problem | None:
    farthest = float(np.abs(position).max())
    if farthest <= FARTHEST:
        return None
    return Problem(where, f"the position is {farthest:.3g} m from the origin", "give positions in metres from an origin near the scene")


def sort_out(results: list[Frame | Problem]) -> tuple[list[Frame], list[Problem]]:
    """Frames and problems apart."""
    return [r for r in results if isinstance(r, Frame)], [r for r in results if isinstance(r, Problem)]
