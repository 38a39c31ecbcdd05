"""Test images with their poses drawn in."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from harness.benchmarks.base import Sample
from harness.benchmarks.camera_localization import geometry
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers import load

_COLOURS = ((220, 50, 40), (40, 160, 60), (40, 90, 220))
"""World x, y, z."""


def samples(root: Path, options: CameraData, count: int) -> list[Sample]:
    """Test frames, evenly spread over the split so that every scene is seen, with the world's axes in a corner."""
    frames = load(root, options, "test")
    chosen = [frames[i] for i in np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)]
    found = []
    for frame in chosen:
        image = cv2.imread(str(root / frame.image))
        if image is None:
            continue
        image = np.ascontiguousarray(image[..., ::-1])
        x, y, z = frame.position
        turn = np.degrees(2 * np.arccos(min(1.0, abs(frame.quaternion[0]))))
        found.append(
            Sample(
                name=frame.image,
                image=image,
                annotated=_axes(image.copy(), frame.quaternion),
                caption=f"{options.scene_names[frame.scene]}: camera at ({x:.2f}, {y:.2f}, {z:.2f}) m, turned by {turn:.0f}°",
            )
        )
    return found


def _axes(image: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    """Draws the world's axes as the camera sees their directions: x red, y green, z blue."""
    side = min(image.shape[:2])
    origin = np.array([0.2, 0.8]) * side
    start = tuple(origin.round().astype(int))
    world_in_camera = geometry.matrix_of(quaternion).T
    for axis in np.argsort(-world_in_camera[2]):  # those that point away first, so that near ones cover them
        tip = tuple((origin + world_in_camera[:2, axis] * 0.15 * side).round().astype(int))
        cv2.arrowedLine(image, start, tip, _COLOURS[axis], max(1, side // 120), cv2.LINE_AA, tipLength=0.25)
    return image
