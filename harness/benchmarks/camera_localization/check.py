"""What is wrong with the frames of a camera-localization dataset beyond their poses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import SPLITS, Listing, Problem
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame


def problems(_root: Path, data: CameraData, listing: Listing[Frame]) -> Iterator[Problem]:
    """Scenes too wide to be in metres, unless the entry says that they are."""
    import numpy as np

    if not data.is_metric or "unit" in data.model_fields_set:
        return
    for index, scene in enumerate(data.scenes):
        positions = np.array([frame.position for split in SPLITS for frame in listing.of(split) if frame.scene == index])
        if len(positions) and (width := float(np.ptp(positions, axis=0).max())) > data.widest:
            mend = (
                "write data.unit: cm or mm if positions are in centimetres or millimetres, scene units if their scale is unknown, or else m"
            )
            yield Problem(scene, f"the cameras lie up to {width:.4g} m apart", mend)
