"""Test images with their poses drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from harness import images
from harness.benchmarks.base import Listing, Sample
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame
from harness.benchmarks.camera_localization.scores import orientation_errors, position_errors
from harness.diagnostics.maps import Marks

_COLOURS = ((220, 50, 40), (40, 160, 60), (40, 90, 220))
"""World x, y, z."""


def samples(root: Path, data: CameraData, listing: Listing[Frame], count: int) -> list[Sample]:
    """Test frames, evenly spread over the split so that every scene is seen, with the world's axes in a corner."""
    frames = listing.split("test")
    shown, decoding = [], listing.decoding(data)
    for index in np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int):
        frame = frames[index]
        image = images.read_rgb(listing.image(frame), decoding)
        rotation = Rotation.from_quat(frame.quaternion, scalar_first=True)
        x, y, z = frame.position
        where = f"camera at ({x:.2f}, {y:.2f}, {z:.2f}) {data.length}, turned by {np.degrees(rotation.magnitude()):.0f}°"
        shown.append(Sample(frame.image, image, _axes(image.copy(), rotation), f"{data.scene_names[frame.scene]}: {where}"))
    return shown


def _axes(image: np.ndarray, rotation: Rotation) -> np.ndarray:
    """Draws the world's axes as the camera sees their directions: x red, y green, z blue."""
    side = min(image.shape[:2])
    origin = np.array([0.2, 0.8]) * side
    start = tuple(origin.round().astype(int))
    world_in_camera = rotation.inv().as_matrix()
    for axis in np.argsort(-world_in_camera[2]):  # those that point away first, so that near ones cover them
        tip = tuple((origin + world_in_camera[:2, axis] * 0.15 * side).round().astype(int))
        cv2.arrowedLine(image, start, tip, _COLOURS[axis], max(1, side // 120), cv2.LINE_AA, tipLength=0.25)
    return image


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """Where the camera was, and by how much the predicted pose is off, in words."""
    length = next(metric.length for metric in evaluator.metrics if hasattr(metric, "length"))
    pose = {name: sample.get(name).float().cpu().numpy()[None] for name in ("position", "quaternion", "pred_position", "pred_quaternion")}
    x, y, z = pose["position"][0]
    away = float(position_errors(pose["pred_position"], pose["position"])[0])
    turned = float(orientation_errors(pose["pred_quaternion"], pose["quaternion"])[0])
    return Marks(text=f"camera at ({x:.2f}, {y:.2f}, {z:.2f}) {length}"), Marks(text=f"off by {away:.2f} {length} and {turned:.1f}°")
