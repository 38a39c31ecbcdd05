"""Rotations as scalar-first unit quaternions, in vectorised numpy (float64)."""

from __future__ import annotations

import numpy as np


def project_to_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to a matrix in the Frobenius norm.

    Args:
        matrix: (..., 3, 3), almost orthonormal; poses printed with few digits are not exactly so.

    Returns:
        (..., 3, 3), orthonormal with determinant 1.
    """
    left, _, right = np.linalg.svd(matrix)
    sign = np.linalg.det(left @ right)
    left = left.copy()
    left[..., :, 2] *= sign[..., None]
    return left @ right


def rotation_defect(matrix: np.ndarray) -> float:
    """How far a 3x3 matrix is from a proper rotation: largest entry of |R R^T - 1|, 2 for a reflection."""
    if np.linalg.det(matrix) <= 0:
        return 2.0
    return float(np.abs(matrix @ matrix.T - np.eye(3)).max())


def quaternion_of(matrix: np.ndarray) -> np.ndarray:
    """Quaternion of a rotation matrix, scalar first and with w >= 0.

    Args:
        matrix: (..., 3, 3) rotations.

    Returns:
        (..., 4). Each of the four squared components is read from the diagonal, and the row of the largest one
        gives the others without cancellation (Shepperd, 1978).
    """
    m = np.asarray(matrix, float)
    diagonal = np.einsum("...ii->...i", m)
    trace = diagonal.sum(-1, keepdims=True)
    squares = np.concatenate([1 + trace, 1 - trace + 2 * diagonal], -1)  # 4 * (w^2, x^2, y^2, z^2)
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack(
        [
            np.stack([squares[..., 0], wx, wy, wz], -1),
            np.stack([wx, squares[..., 1], xy, xz], -1),
            np.stack([wy, xy, squares[..., 2], yz], -1),
            np.stack([wz, xz, yz, squares[..., 3]], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)
    q = np.take_along_axis(rows, best[..., None, None], -2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def matrix_of(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of scalar-first quaternions (..., 4) of any non-zero length."""
    q = np.asarray(quaternion, float)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    entries = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in entries], -2)


def conjugate(quaternion: np.ndarray) -> np.ndarray:
    """The inverse rotation's quaternion: turns world-to-camera into camera-to-world and back."""
    return np.asarray(quaternion, float) * np.array([1.0, -1.0, -1.0, -1.0])


def mean_rotation(quaternions: np.ndarray) -> np.ndarray:
    """The rotation with the least mean squared chordal distance to (N, 4) quaternions, whatever their signs.

    The largest eigenvector of sum q q^T (Markley et al., "Averaging Quaternions", 2007).
    """
    _, vectors = np.linalg.eigh(quaternions.T @ quaternions)
    q = vectors[:, -1]
    return -q if q[0] < 0 else q
