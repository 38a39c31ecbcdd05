"""PCK at several thresholds, against head or torso, and per joint; fall-offs by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.benchmarks import task
from harness.benchmarks.base import undeclared
from harness.benchmarks.keypoint import scores
from harness.benchmarks.keypoint.oks import COCO_NAMES, COCO_SIGMAS, coco_sigmas
from harness.catalog import Benchmark
from harness.errors import UsageError

HEAD = {"norm": "head", "segment": ["neck", "head"]}


def bench(**data) -> Benchmark:
    data = {"format": "synthetic", "train": 8, "test": 6, "size": [48, 32], **data}
    return Benchmark(id="b", family="keypoint", data=data, schedule={"epochs": 1, "batch_size": 4})


def names(**data) -> list[str]:
    return [metric.name for metric in task(bench(**data)).metrics]


def test_every_threshold_is_a_metric_of_its_own():
    assert names() == ["PCK@0.05", "median_px"]
    assert names(thresholds=[0.1, 0.05, 0.2]) == ["PCK@0.05", "median_px", "PCK@0.1", "PCK@0.2"]
    assert names(**HEAD) == ["PCK@0.05", "median_px", "PCKh@0.5"]
    assert names(norm="torso", segment=["neck", "hip"], thresholds=[0.1, 0.2]) == ["PCK@0.05", "median_px", "tPCK@0.1", "tPCK@0.2"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"thresholds": [0]}, "thresholds"),
        ({"thresholds": [1.5]}, "thresholds"),
        ({"norm": "heads"}, "norm"),
        ({"norm": "head"}, "give the two keypoints"),
        ({"segment": ["neck", "head"]}, "none with norm: box"),
        ({"norm": "head", "segment": ["neck", "neck"]}, "named twice"),
        (
            {"format": "coco", "root": "r", "keypoints": ["neck", "head"], "norm": "head", "segment": ["neck", "heat"]},
            "Did you mean 'head'",
        ),
        ({"format": "coco", "root": "r", "keypoints": ["a", "a"]}, "'a' is named twice"),
        ({"format": "coco", "root": "r", "keypoints": 5, "sigmas": "coco"}, "17 values for 5"),
    ],
)
def test_malformed_options_are_refused(data, words):
    if data.get("format") == "coco":
        data = {"train": "a", "test": "b", "size": [48, 32], **data}
    with pytest.raises(UsageError, match=words):
        task(bench(**data))


def test_joints_and_lengths_agree_with_a_slow_reference():
    rng = np.random.default_rng(0)
    joints = ["neck", "head", "visible", "a/b"]
    truth, flags = rng.uniform(0, 90, (12, 4, 2)), rng.integers(0, 3, (12, 4))
    flags[:, 3] = 0
    predicted, box = truth + rng.normal(0, 6, truth.shape), rng.uniform(60, 140, 12)
    truth[3, 1] = truth[3, 0]  # a head without a length
    flags[3, :2] = 2
    far = scores.distances(predicted, truth, flags, box)
    against = scores.further("head", [0.1, 0.5], ("neck", "head"), joints, truth, flags, box)
    found, _ = scores.summary(far, flags, box, joints, against)

    def share(joint: int, length, threshold: float) -> float:
        hits = []
        for n in range(12):
            if flags[n, joint] and length(n):
                hits.append(np.hypot(*(predicted[n, joint] - truth[n, joint])) < threshold * length(n))
        return 100 * sum(hits) / len(hits)

    def head(n: int) -> float:
        return float(np.hypot(*(truth[n, 0] - truth[n, 1]))) if flags[n, 0] and flags[n, 1] else 0.0

    for metric, length, threshold in (("PCK@0.05", box.__getitem__, 0.05), ("PCKh@0.1", head, 0.1), ("PCKh@0.5", head, 0.5)):
        expected = {part: share(k, length, threshold) for k, part in enumerate(("neck", "head", "joint visible"))}
        assert {part: found[f"{metric}/{part}"] for part in expected} == pytest.approx(expected)
        assert found[metric] == pytest.approx(np.mean(list(expected.values())))
        assert f"{metric}/a|b" not in found
    assert found["PCK@0.05/visible"] == pytest.approx(scores.pck(np.where(flags == 2, far, np.nan), box))


def test_heads_that_are_not_labelled_are_told(tmp_path):
    entry = bench(**HEAD)
    task(entry).generate(tmp_path)
    found = task(entry).listing(tmp_path)
    assert not [problem for problem in task(entry).check_listing(tmp_path, found) if problem.where == "data.segment"]
    head = found.names.index("head")
    for count, fatal in ((1, False), (6, True)):
        for pose in found.test[:count]:
            pose.visible[head] = 0
        (problem,) = [problem for problem in task(entry).check_listing(tmp_path, found) if problem.where == "data.segment"]
        assert problem.fatal == fatal and f"{count} of 6 test instances lack neck or head" in problem.what
    (unknown,) = task(bench(norm="head", segment=["neck", "haed"])).check_listing(tmp_path, found)
    assert "Did you mean 'head'" in unknown.what and unknown.fatal


def test_fall_offs_go_by_name():
    assert coco_sigmas(COCO_NAMES) == COCO_SIGMAS
    assert coco_sigmas([name.replace("_", " ").title() for name in reversed(COCO_NAMES)]) == COCO_SIGMAS[::-1]
    assert coco_sigmas([*COCO_NAMES[:-1], "tail"]) is None


def test_seventeen_points_of_others_have_no_average_precision_and_are_told(tmp_path):
    from harness.benchmarks.keypoint.check import problems
    from harness.benchmarks.keypoint.readers.coco import CocoData
    from harness.benchmarks.keypoint.readers.pose import Poses

    (told,) = problems(tmp_path, CocoData(format="coco", root="r", keypoints=17), Poses())
    assert "AP" in told.what and "data.sigmas: coco" in told.mend and not told.fatal
    assert [*problems(tmp_path, CocoData(format="coco", root="r", keypoints=17, sigmas="coco"), Poses())] == []


@pytest.mark.parametrize("count", [20, 30])
def test_more_instances_than_coco_counts_are_told(tmp_path, count):
    from harness.benchmarks.keypoint.check import problems
    from harness.benchmarks.keypoint.readers.coco import CocoData
    from harness.benchmarks.keypoint.readers.pose import Pose, Poses

    points = np.arange(2 * count, dtype=np.float32).reshape(count, 1, 2)
    poses = [Pose(Path("a"), (99, 99), (0, 0, 40, 40), each, np.full(1, 2), 1600.0, 1, n) for n, each in enumerate(points, 1)]
    data = CocoData(format="coco", root="r", keypoints=["a"], sigmas=[0.001])
    told = [problem for problem in problems(tmp_path, data, Poses(test=poses)) if problem.where == "test split"]
    best = scores.average_precision(points, poses, (0.001,), every=True)
    assert [f"cannot exceed {best['AR']:.1f} %" in problem.what for problem in told] == [True] * (count > 20)
    assert best["AR"] == pytest.approx(100 * min(count, 20) / count)
    assert [*problems(tmp_path, CocoData(format="coco", root="r", keypoints=["a"]), Poses(test=poses))] == []


def test_a_trial_reports_what_is_declared(openmmlab, tmp_path):
    from harness.catalog.plugins import discover, load_plugins
    from harness.catalog.schema import Filling, Method
    from harness.compose import compose
    from harness.engine.trial import run_trial

    entry = task(bench(**HEAD, thresholds=[0.2, 0.5]))
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    entry.generate(tmp_path / "data")
    files = discover()
    load_plugins({"identity"}, files)
    method = Method(id="identity", title="identity", slots={"block": Filling(plugin="identity")})
    outcome = run_trial(compose(method, entry, 0, "f", files), data=tmp_path / "data", work_dir=tmp_path / "work")
    floor = entry.floor(tmp_path / "data")
    assert floor.keys() == outcome.metrics.keys()
    assert {"PCK@0.05", "PCK@0.05/covered", "PCK@0.05/left_hand", "PCKh@0.2", "PCKh@0.5", "PCKh@0.5/neck", "median_px"} <= floor.keys()
    assert list(undeclared(outcome.metrics, entry.metrics)) == []
    assert np.isfinite([*outcome.metrics.values()]).all()
