"""The trivial predictor: one constant pose per scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.benchmarks.camera_localization import geometry, scores
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers import load


def constant_pose(root: Path, options: CameraData) -> dict[str, float]:
    """Metrics of predicting each scene's median training position and mean training rotation.

    The scene is given to it; its scene accuracy is that of always naming the scene with most training frames.
    """
    train, test = load(root, options, "train"), load(root, options, "test")
    scene = np.array([frame.scene for frame in test])
    position, quaternion = np.zeros((len(test), 3)), np.zeros((len(test), 4))
    sizes = np.bincount([frame.scene for frame in train], minlength=len(options.scenes))
    for index in range(len(options.scenes)):
        mine = [frame for frame in train if frame.scene == index]
        if mine:
            position[scene == index] = np.median([frame.position for frame in mine], axis=0)
            quaternion[scene == index] = geometry.mean_rotation(np.array([frame.quaternion for frame in mine]))
    return scores.summarise(
        scores.position_errors(position, np.array([frame.position for frame in test])),
        scores.orientation_errors(quaternion, np.array([frame.quaternion for frame in test])),
        scene,
        scene == sizes.argmax(),
        scenes=options.scene_names,
        thresholds=options.thresholds,
        lower=options.median == "lower",
    )
