"""Fall-offs of the object keypoint similarity: COCO's belong to COCO's points, whoever counts 17 others."""

from __future__ import annotations

import re
from collections.abc import Sequence

COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip

COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip
"""In the order of ``COCO_NAMES`` (cocodataset.org/#keypoints-eval)."""

_BY_NAME = {name.replace("_", ""): sigma for name, sigma in zip(COCO_NAMES, COCO_SIGMAS, strict=True)}


def coco_sigmas(names: Sequence[str]) -> tuple[float, ...] | None:
    """COCO's fall-offs in the order of ``names``; ``None`` where these are not COCO's. ``Left eye`` is ``left_eye``."""
    plain = [re.sub(r"[\W_]", "", name).lower() for name in names]
    return tuple(_BY_NAME[name] for name in plain) if sorted(plain) == sorted(_BY_NAME) else None
