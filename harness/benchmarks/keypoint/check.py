"""What is wrong with a keypoint dataset as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import NEEDED, Problem
from harness.benchmarks.keypoint.oks import COCO_NAMES, coco_sigmas
from harness.benchmarks.keypoint.options import KeypointData
from harness.benchmarks.keypoint.readers.pose import Pose, Poses
from harness.errors import did_you_mean


def problems(_root: Path, data: KeypointData, listing: Poses) -> Iterator[Problem]:
    """Average precision that is not reported though its fall-offs may be known, and lengths that errors cannot be measured against."""
    if data.count == len(COCO_NAMES) and not data.has_ap and (data.format == "coco" or coco_sigmas(listing.names)):
        what = "17 keypoints without fall-offs, so average precision (AP) is not reported"
        yield Problem("data.sigmas", what, "if they are COCO's 17 points, write data.sigmas: coco", fatal=False)
    train, test = ({*listing.images(split)} for split in NEEDED)
    if train and train == test:
        yield Problem("splits", "all images are in the training and in the test split", "take them out of one of the two")
    if data.segment and listing.test:
        yield from _segment(data.segment, listing)


def _segment(segment: tuple[str, str], listing: Poses) -> Iterator[Problem]:
    unknown = [end for end in segment if end not in listing.names]
    if unknown:
        mend = f"choose two of {', '.join(listing.names)}"
        yield Problem("data.segment", str(did_you_mean(unknown[0], listing.names, "keypoint")), mend)
        return
    ends = [listing.names.index(end) for end in segment]
    without = [pose for pose in listing.test if not _has_length(pose, ends)]
    if without:
        what = f"{len(without)} of {len(listing.test)} test instances lack {' or '.join(segment)} and are left out of that metric"
        all_of_them = len(without) == len(listing.test)
        yield Problem("data.segment", what, "label both, or choose two others", fatal=all_of_them)


def _has_length(pose: Pose, ends: list[int]) -> bool:
    return bool((pose.visible[ends] > 0).all() and (pose.points[ends[0]] != pose.points[ends[1]]).any())
