"""MPII Human Pose (Andriluka et al., CVPR 2014) as SimpleBaseline and HRNet read it: a JSON list per split, and the heads of the test.

```json
[{"image": "015601864.jpg", "center": [594.0, 257.0], "scale": 3.021,
  "joints": [[620.0, 394.0], [616.0, 269.0]], "joints_vis": [1, 1]}]
```

16 joints each, right ankle first; pixels are counted from 1. ``center`` and ``scale`` (in units of 200 pixels) say where the figure is.
``mpii_gt_val.mat`` holds ``headboxes_src`` (2, 2, N), corners of the box around each head of the test in the order of its list.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from harness.benchmarks.base import Format
from harness.benchmarks.keypoint.options import KeypointData
from harness.benchmarks.keypoint.readers.pose import Pose, Poses
from harness.benchmarks.keypoint.readers.tally import ALWAYS, NEVER, Tally
from harness.benchmarks.keypoint.readers.trail import find
from harness.images import measure

JOINTS = [
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax", "upper_neck", "head_top",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
]  # fmt: skip

_UNIT = 200
"""Pixels that a ``scale`` of 1 means."""
_LOWER = 15 / _UNIT
"""Share of the box's side by which its centre is moved down, as the authors of SimpleBaseline do, so that no ankle is cut off."""
_HEAD = 0.6
"""Share of the diagonal of a head's box that is the head's length (MPII's ``SC_BIAS``)."""


class MpiiData(KeypointData):
    """MPII as the JSON files of SimpleBaseline and HRNet, with the official head boxes."""

    format: Literal["mpii"]
    root: str
    train: str = "annotations/mpii_train.json"
    """List of the training figures."""
    test: str = "annotations/mpii_val.json"
    head_boxes: str = "annotations/mpii_gt_val.mat"
    """MATLAB file with the heads of the test."""
    images: str = "images"
    """Folder of all images."""

    @property
    def count(self) -> int:
        return len(JOINTS)

    @property
    def names(self) -> list[str]:
        return JOINTS

    @property
    def whole_image(self) -> bool:
        return False

    @property
    def has_head(self) -> bool:
        return True


def read(root: Path, data: MpiiData) -> Poses:
    """List both splits."""
    listing = Poses(root=root, names=JOINTS)
    heads = _heads(data, listing)
    listing.train = _split(root, data, data.train, None, listing)
    listing.test = _split(root, data, data.test, heads, listing)
    return listing.finish(data)


def _heads(data: MpiiData, listing: Poses) -> list[float] | None:
    """Length of each head of the test in pixels; None, noted in ``listing``, where nobody says it."""
    import numpy as np
    from scipy.io import loadmat

    file, mend = listing.root / data.head_boxes, "put MPII's mpii_gt_val.mat there"
    listing.sources.append(file)
    if not file.is_file():
        listing.add(data.head_boxes, "the file with the head boxes is missing", mend)
        return None
    try:
        corners = np.asarray(loadmat(file)["headboxes_src"], float)
    except Exception as error:  # whatever SciPy raises of a file that is cut off or something else
        listing.add(data.head_boxes, f"the head boxes cannot be read ({type(error).__name__}: {error})", mend)
        return None
    if corners.ndim != 3 or corners.shape[:2] != (2, 2):
        listing.add(data.head_boxes, f"headboxes_src has shape {corners.shape}, not (2, 2, N)", mend)
        return None
    lengths: list[float] = (_HEAD * np.linalg.norm(corners[1] - corners[0], axis=0)).tolist()
    return lengths


def _split(root: Path, data: MpiiData, where: str, heads: list[float] | None, listing: Poses) -> list[Pose]:
    text = listing.text(where, "put the JSON files of SimpleBaseline or HRNet there, or correct data.train and data.test")
    if text is None:
        return []
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        listing.add(where, f"the file is not JSON ({error})", "fetch it again")
        return []
    if not isinstance(entries, list):
        listing.add(where, "the file is no list of figures", "give the JSON files of SimpleBaseline or HRNet")
        return []
    if heads is not None and len(heads) != len(entries):
        what = f"{len(heads)} heads for the {len(entries)} figures of {where}"
        listing.add(data.head_boxes, what, "fetch both files again: they belong together, in one order")
        return []
    tally = Tally(listing, where)
    poses: list[Pose] = []
    numbers: dict[Path, int] = {}
    sizes: dict[Path, tuple[int, int]] = {}
    for index, entry in enumerate(entries):
        head = None if heads is None else heads[index]
        pose = _pose(root, data, entry, f"figure {index}", head, (numbers, sizes), len(poses) + 1, tally)
        if pose:
            poses.append(pose)
    tally.tell(len(entries))
    return poses


def _pose(
    root: Path,
    data: MpiiData,
    entry: Any,
    place: str,
    head: float | None,
    known: tuple[dict[Path, int], dict[Path, tuple[int, int]]],
    number: int,
    tally: Tally,
) -> Pose | None:
    import numpy as np

    numbers, sizes = known
    try:
        centre, scale = np.array(entry["center"], float), float(entry["scale"])
        points, flags = np.array(entry["joints"], float), np.array(entry["joints_vis"], float)
        if points.shape != (len(JOINTS), 2) or flags.shape != (len(JOINTS),) or centre.shape != (2,) or not scale > 0:
            raise ValueError("joints, joints_vis, center or scale have another shape")
        said = str(entry["image"])
    except (KeyError, TypeError, ValueError) as error:
        tally.leave_out("malformed figures", f"{place} ({type(error).__name__}: {error})", "fetch the file again", ALWAYS)
        return None
    file, _ = find(said, [root / data.images], root)
    try:
        if file is None:
            raise ValueError("there is no such file")
        if file not in sizes:
            sizes[file] = measure(file, header_only=True, exif=data.exif == "apply")
    except ValueError as error:
        tally.leave_out("figures whose image is missing", f"{place}, '{said:.80}' ({error})", f"put it into {data.images}/", ALWAYS)
        return None
    visible = np.where((flags > 0) & np.isfinite(points).all(axis=1), 2, 0)
    if not visible.any():
        tally.leave_out("figures with no labelled point", place, "leave it so", NEVER)
        return None
    if head is not None and not head > 0:
        tally.leave_out("figures without a head", place, "fetch the head boxes again", ALWAYS)
        return None
    side = scale * _UNIT
    x, y = float(centre[0]) - 1, float(centre[1]) + _LOWER * side - 1
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    points = np.where(visible[:, None] > 0, points - 1, 0).astype(np.float32)
    image = numbers.setdefault(file, len(numbers) + 1)
    return Pose(file, sizes[file], box, points, visible, side * side * 0.53, image, number, head)


FORMAT = Format(MpiiData, read)
