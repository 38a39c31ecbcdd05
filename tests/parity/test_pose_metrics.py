"""Pose errors, medians and recalls against scipy and hand-made cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from harness.benchmarks.base import Listing
from harness.benchmarks.camera_localization import scores
from harness.benchmarks.camera_localization.floor import floor
from harness.benchmarks.camera_localization.readers import frame
from harness.benchmarks.camera_localization.readers.seven_scenes import SevenScenesData

PAIRS = 10_000


@pytest.fixture(scope="module")
def rotations() -> tuple[Rotation, Rotation]:
    """Random pairs; a third of them nearly equal, a third nearly half a turn apart."""
    rng = np.random.default_rng(0)
    first = Rotation.random(PAIRS, rng=rng)
    angle = np.concatenate([10.0 ** rng.uniform(-9, -1, PAIRS // 3), np.pi - 10.0 ** rng.uniform(-9, -1, PAIRS // 3)])
    angle = np.concatenate([angle, rng.uniform(0, np.pi, PAIRS - len(angle))])
    axis = rng.normal(size=(PAIRS, 3))
    return first, first * Rotation.from_rotvec(angle[:, None] * axis / np.linalg.norm(axis, axis=1, keepdims=True))


def quaternions(rotation: Rotation) -> np.ndarray:
    return rotation.as_quat(scalar_first=True)


def test_errors_equal_an_independent_implementation(rotations):
    first, second = rotations
    rng = np.random.default_rng(1)
    expected = np.degrees((first.inv() * second).magnitude())
    scale = rng.choice([-1, 1], (PAIRS, 2)) * rng.uniform(0.1, 10, (PAIRS, 2))
    p, q = quaternions(first) * scale[:, :1], quaternions(second) * scale[:, 1:]
    assert np.abs(scores.orientation_errors(p, q) - expected).max() < 1e-6

    a, b = rng.normal(size=(2, PAIRS, 3)) * 10
    by_hand = [sum((x - y) ** 2 for x, y in zip(u, v, strict=True)) ** 0.5 for u, v in zip(a, b, strict=True)]
    assert np.abs(scores.position_errors(a, b) - by_hand).max() < 1e-6


def test_error_is_the_published_formula(rotations):
    """2 arccos |<p, q>|, where arccos keeps its digits."""
    p, q = (quaternions(r)[2 * (PAIRS // 3) :] for r in rotations)
    published = np.degrees(2 * np.arccos(np.minimum(1, np.abs((p * q).sum(1)))))
    assert np.abs(scores.orientation_errors(p, q) - published).max() < 1e-5


def test_equal_rotations_are_zero_apart_despite_rounding(rotations):
    q = quaternions(rotations[0]).astype(np.float32)
    errors = scores.orientation_errors(q * 3, -q)
    assert np.isfinite(errors).all()
    assert errors.max() < 1e-4


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [np.inf, 0, 0, 1]])
def test_a_prediction_without_direction_is_half_a_turn_off(bad):
    assert scores.orientation_errors(np.array([bad]), np.array([[1.0, 0, 0, 0]])) == [180.0]


def test_a_prediction_that_is_not_finite_is_infinitely_far():
    errors = scores.position_errors(np.array([[np.nan, 0, 0], [np.inf, 0, 0], [3, 4, 0]]), np.zeros((3, 3)))
    assert errors.tolist() == [np.inf, np.inf, 5.0]
    assert scores.recall(errors, np.zeros(3), 5.0, 0.0) == pytest.approx(100 / 3)


@pytest.mark.parametrize(("values", "middle", "lower"), [([3, 1, 2], 2, 2), ([4, 1, 2, 3], 2.5, 2), ([7], 7, 7), ([1, np.inf], np.inf, 1)])
def test_median_of_even_counts(values, middle, lower):
    assert scores.median(np.array(values, float)) == middle
    assert scores.median(np.array(values, float), lower=True) == lower


def summarise(**changes):
    given = {
        "position": np.array([0.1, 0.3, 0.5, 2.0, 0.2]),
        "orientation": np.array([1.0, 20.0, 4.0, 5.0, 5.0]),
        "scene": np.array([0, 0, 0, 1, 1]),
        "correct": np.array([True, True, False, False, True]),
        "scenes": ["a", "b", "empty"],
        "thresholds": [(0.2, 5.0), (0.5, 10.0)],
    }
    return scores.summarise(**(given | changes))


def test_summary_by_hand():
    found = summarise()
    assert found["position_median_m/a"] == 0.3
    assert found["orientation_median_deg/a"] == 4.0
    assert found["position_median_m/b"] == pytest.approx(1.1)
    assert found["position_median_m"] == pytest.approx((0.3 + 1.1) / 2)  # scenes count alike
    assert found["orientation_median_deg"] == pytest.approx(4.5)
    assert found["recall_0.2m_5deg"] == pytest.approx(40)  # thresholds belong to it
    assert found["recall_0.2m_5deg/a"] == pytest.approx(100 / 3)
    assert found["recall_0.2m_5deg_scene_mean"] == pytest.approx((100 / 3 + 50) / 2)
    assert found["recall_0.5m_10deg"] == pytest.approx(60)
    assert found["scene_accuracy"] == pytest.approx(60)
    assert not any(name.endswith("/empty") for name in found)  # left out, and no NaN in the averages
    assert summarise(lower=True)["position_median_m/b"] == 0.2


def test_nothing_to_summarise_is_not_a_number():
    nothing = np.zeros(0)
    found = summarise(position=nothing, orientation=nothing, scene=nothing.astype(int), correct=nothing.astype(bool))
    assert all(np.isnan(value) for value in found.values())


# --- rotations as the readers and the floor make them


def matrix_of(q: np.ndarray) -> np.ndarray:
    """Rotation matrix of one scalar-first unit quaternion, entry by entry."""
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """In the Frobenius norm: the orthogonal Procrustes problem."""
    left, _, right = np.linalg.svd(matrix)
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def read_matrix(matrix: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = matrix
    return frame.from_matrix("image", pose, "file").quaternion


def test_a_matrix_is_read_as_the_nearest_rotation_with_w_not_negative(rotations):
    rng = np.random.default_rng(2)
    for matrix in rotations[0][:500].as_matrix():
        noisy = matrix + rng.uniform(-4e-4, 4e-4, (3, 3))
        for given in (matrix, noisy):
            quaternion = read_matrix(given)
            assert np.linalg.norm(quaternion) == pytest.approx(1, abs=1e-14) and quaternion[0] >= 0
            assert np.abs(matrix_of(quaternion) - nearest_rotation(given)).max() < 1e-12


def test_half_turns_have_quaternions():
    for axis in np.eye(3):
        half_turn = Rotation.from_rotvec(np.pi * axis).as_matrix()
        assert np.abs(read_matrix(half_turn)[1:]) @ axis == pytest.approx(1)


def test_a_quaternion_is_inverted_and_keeps_its_sign(rotations):
    """The loss tells q from -q, so the file's sign counts; files of other tools round to a length that is nearly 1."""
    for n, q in enumerate(quaternions(rotations[0][:500])):
        given = q * (1.001 if n % 2 else -1)
        found = frame.from_quaternion("image", np.zeros(3), given, "file").quaternion
        assert np.abs(found - given / np.linalg.norm(given) * (1, -1, -1, -1)).max() < 1e-15


def test_the_floor_turns_to_the_mean_rotation_whatever_the_signs():
    """The largest eigenvector of sum q q^T (Markley et al., 2007)."""
    near = quaternions(Rotation.from_rotvec(np.random.default_rng(3).normal(size=(50, 3)) * 0.4))
    mean = np.linalg.eigh(near.T @ near)[1][:, -1]
    signs = np.where(np.arange(50) % 2, 1, -1)[:, None]
    train = [frame.Frame("image", np.zeros(3), q) for q in near * signs]
    for test in (mean, near[0]):
        data = SevenScenesData(format="7scenes", root="r")
        found = floor(Path(), data, Listing(train, [frame.Frame("image", np.zeros(3), test)]))
        assert found["orientation_median_deg"] == pytest.approx(scores.orientation_errors(mean[None], test[None])[0], abs=1e-6)
