"""Which points change places in a mirror, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.benchmarks.base import Problem
from harness.benchmarks.keypoint import check
from harness.benchmarks.keypoint.oks import COCO_NAMES
from harness.benchmarks.keypoint.options import KeypointModel
from harness.benchmarks.keypoint.readers.coco import CocoData
from harness.benchmarks.keypoint.readers.pose import Poses
from harness.benchmarks.keypoint.sides import mirrors, sided, unrecognised


@pytest.mark.parametrize(
    "pair",
    [
        "left_ear right_ear",
        "ear_left ear_right",
        "L_ear R_ear",
        "leftear rightear",
        "earleft earright",
        "Left_ear Right_ear",
        "LEFT-EAR RIGHT-EAR",
        "left_ear Right-ear",
        "earL earR",
        "LShoulder RShoulder",
        "ear.l ear.r",
        "paw_l_2 paw_r_2",
        "l1 r1",
        "LeftHand RightHand",
    ],
)
def test_left_and_right_find_each_other(pair):
    left, right = pair.split()
    assert mirrors([left, "tail", right, "bright"]) == {left: right, right: left}
    assert sided(left) or left.lower().endswith("left")


def test_pairs_are_pairs():
    assert mirrors(["left ear", "right ear"]) == {"left ear": "right ear", "right ear": "left ear"}
    pairs = mirrors(COCO_NAMES)
    assert len(pairs) == 16 and all(pairs[other] == name for name, other in pairs.items())
    both_ways = mirrors(["left_a_right", "right_a_right", "left_a_left"])
    assert both_ways == {"left_a_right": "right_a_right", "right_a_right": "left_a_right"}
    assert mirrors(["L_eye", "left_eye", "right_eye", "R_eye"])["L_eye"] == "R_eye"
    assert not mirrors(["paw1LH", "paw2LF", "paw3RF", "paw4RH", "lear", "rear", "tail", "bright"])


@pytest.mark.parametrize(
    "pair",
    [
        "Lear Rear",
        "leye reye",
        "Lforepaw Rforepaw",
        "FL_paw FR_paw",
        "HL HR",
        "paw2LF paw3RF",
        "ear_li ear_re",
        "linkes_ohr rechtes_ohr",
        "oreille_gauche oreille_droite",
        "ojo_izquierdo ojo_derecho",
    ],
)
def test_what_looks_like_left_and_right_is_told_and_not_paired(pair):
    one, other = pair.split()
    names = ["nose", one, "left_hip", other, "right_hip"]
    assert set(mirrors(names)) == {"left_hip", "right_hip"} and unrecognised(names) == [(one, other)]
    (problem,) = told(names, augment="coco")
    assert f"not change places: {one} and {other}" in problem.what and not problem.fatal
    (line,) = remarks(names, augment="coco")
    assert line.endswith(f"2 of 5 points change places: left_hip and right_hip; nose, {one}, {other} stay")


def test_what_only_resembles_sides_is_not_told():
    assert not unrecognised(COCO_NAMES) and not unrecognised(["leg1", "leg2", "ear1", "ear2", "tail", "head", "collar", "elbow"])
    assert not told(["nose", "Lear", "Rear"]) and not remarks(["nose", "Lear", "Rear"])
    assert remarks(["left_ear", "right_ear"], flip_test=True) == [
        "images are mirrored (model.flip_test: true): 2 of 2 points change places: left_ear and right_ear; none stays"
    ]


def remarks(names: list[str], flip_test: bool = False, **data) -> list[str]:
    options = CocoData(format="coco", root="r", train="a", test="b", keypoints=names, **data)
    model = KeypointModel(backbone="resnet-thin", flip_test=flip_test)
    return [*check.remarks(Path(), options, model, Poses(names=names))]


def told(names: list[str], flip_test: bool = False, **data) -> list[Problem]:
    options = CocoData(format="coco", root="r", train="a", test="b", keypoints=names, **data)
    return [*check.of_model(options, KeypointModel(backbone="resnet-thin", flip_test=flip_test), Poses(names=names))]


def test_points_without_a_partner_are_told_where_images_are_mirrored():
    assert not told(["left_ear", "tail"]) and not told(["left_ear", "tail"], augment="affine")
    assert not told(["left_ear", "right_ear", "tail"], augment="coco")
    (alone,) = told(["left_ear", "right_ear", "left_eye"], augment="mpii")
    assert "left_eye" in alone.what and "left_ear and right_ear" in alone.what and not alone.fatal
    (none,) = told(["ear1", "ear2", "tail"], flip_test=True)
    assert "no names" in none.what and "flip_test" in none.mend
