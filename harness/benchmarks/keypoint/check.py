"""What is wrong with a keypoint dataset as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import NEEDED, Problem
from harness.benchmarks.keypoint.oks import COCO_NAMES, coco_sigmas
from harness.benchmarks.keypoint.options import KeypointData, KeypointModel
from harness.benchmarks.keypoint.readers.pose import Pose, Poses
from harness.benchmarks.keypoint.scores import MOST_DETECTIONS
from harness.benchmarks.keypoint.sides import mirrors, sided, unrecognised
from harness.errors import did_you_mean
from harness.texts import few


def problems(_root: Path, data: KeypointData, listing: Poses) -> Iterator[Problem]:
    """Average precision that is not reported though its fall-offs may be known, and lengths that errors cannot be measured against."""
    if data.count == len(COCO_NAMES) and not data.has_ap and (data.format == "coco" or coco_sigmas(listing.names)):
        what = "17 keypoints without fall-offs, so average precision (AP) is not reported"
        yield Problem("data.sigmas", what, "if they are COCO's 17 points, write data.sigmas: coco", fatal=False)
    if data.has_ap:
        yield from _crowded(listing)
    train, test = ({*listing.images(split)} for split in NEEDED)
    if train and train == test:
        yield Problem("splits", "all images are in the training and in the test split", "take them out of one of the two")
    if data.segment and listing.test:
        yield from _segment(data.segment, listing)


def _crowded(listing: Poses) -> Iterator[Problem]:
    """More instances in a test image than COCO's evaluation looks at."""
    counts = Counter(pose.image_id for pose in listing.test)
    if crowded := sum(count > MOST_DETECTIONS for count in counts.values()):
        most = 100 * sum(min(count, MOST_DETECTIONS) for count in counts.values()) / len(listing.test)
        what = f"{crowded} of {len(counts)} test images hold more than {MOST_DETECTIONS} instances; as COCO's evaluation counts no more"
        what += f" predictions an image, recall (AR) cannot exceed {most:.1f} %, nor AP by more than rounding"
        yield Problem("test split", what, "compare methods on these data by PCK, or cut the images into parts", fatal=False)


def of_model(data: KeypointData, model: KeypointModel, listing: Poses) -> Iterator[Problem]:
    """Points that say left or right but stay themselves in a mirror, where images are mirrored."""
    why = _mirroring(data, model, listing)
    if not why:
        return
    pairs, alike = mirrors(listing.names), unrecognised(listing.names)
    alone = [name for name in listing.names if sided(name) and name not in pairs]
    rest = _in_words(listing.names, pairs)
    found = f"{len(rest)} pairs change places, e.g. {rest[0]}" if rest else "no points change places"
    mend = f"name both points of a pair in data.keypoints, e.g. left_eye and right_eye, or do without {' and '.join(why)}"
    if alone:
        what = f"images are mirrored, and {len(alone)} points have a side in their name but no partner: {', '.join(alone[:5])}; {found}"
        yield Problem("data.keypoints", what, mend, fatal=False)
    if alike:
        these = few(f"{one} and {other}" for one, other in alike)
        what = f"images are mirrored, but points that look like left and right do not change places: {these}"
        mend = f"if they are, call them left_… and right_… in the files and in data.keypoints, or do without {' and '.join(why)}"
        yield Problem("data.keypoints", what, mend, fatal=False)
    elif not alone and not pairs and len(listing.names) > 1:
        what = f"images are mirrored, but no names of points are a left and right pair: {', '.join(listing.names[:5])}"
        yield Problem("data.keypoints", what, f"if there are pairs, {mend}", fatal=False)


def remarks(_root: Path, data: KeypointData, model: KeypointModel, listing: Poses) -> Iterator[str]:
    """Which points change places in a mirror and which stay, where images are mirrored."""
    if why := _mirroring(data, model, listing):
        pairs = mirrors(listing.names)
        change = f"{len(pairs)} of {len(listing.names)} points change places"
        change += f": {few(_in_words(listing.names, pairs), _SHOWN)}" if pairs else ""
        stay = [name for name in listing.names if name not in pairs]
        yield f"images are mirrored ({', '.join(why)}): {change}; {few(stay, _SHOWN) or 'none'} {'stays' if len(stay) < 2 else 'stay'}"


_SHOWN = 20
"""Points or pairs that are named."""


def _mirroring(data: KeypointData, model: KeypointModel, listing: Poses) -> list[str]:
    """What mirrors images whose points have names; mmpose's classes know what changes places."""
    if data.format == "mmpose" or not listing.names:
        return []
    return [f"data.augment: {data.augment}"] * data.mirrors + ["model.flip_test: true"] * model.flip_test


def _in_words(names: list[str], pairs: dict[str, str]) -> list[str]:
    return [f"{one} and {other}" for one, other in pairs.items() if names.index(one) < names.index(other)]


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
