"""The trivial predictor: one constant pose per scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from harness.benchmarks.base import Listing
from harness.benchmarks.camera_localization import scores
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame


def floor(_root: Path, data: CameraData, listing: Listing[Frame]) -> dict[str, float]:
    """Metrics of predicting each scene's median training position and mean training rotation.

    The mean is the rotation with the least mean squared chordal distance (Markley et al., "Averaging Quaternions", 2007).
    The scene is given to it; its scene accuracy is that of always naming the scene with most training frames.
    """
    train, test = listing.split("train"), listing.split("test")
    scene = np.array([frame.scene for frame in test])
    position, quaternion = np.zeros((len(test), 3)), np.zeros((len(test), 4))
    sizes = np.bincount([frame.scene for frame in train], minlength=len(data.scenes))
    for index in range(len(data.scenes)):
        mine = [frame for frame in train if frame.scene == index]
        if mine:
            position[scene == index] = np.median([frame.position for frame in mine], axis=0)
            rotations = Rotation.from_quat([frame.quaternion for frame in mine], scalar_first=True)
            quaternion[scene == index] = rotations.mean().as_quat(scalar_first=True)
    return scores.summarise(
        scores.position_errors(position, np.array([frame.position for frame in test])),
        scores.orientation_errors(quaternion, np.array([frame.quaternion for frame in test])),
        scene,
        scene == sizes.argmax(),
        scenes=data.scene_names,
        thresholds=data.pairs,
        lower=data.median == "lower",
        length=data.length,
    )
