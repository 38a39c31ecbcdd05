"""Methods against each other: which samples they differ on, and differences that can share an axis."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis import test_images
from harness.analysis.compare import compare
from harness.analysis.leaderboard import build
from harness.analysis.views import comparison as view
from harness.analysis.views.comparison import Scores
from harness.catalog import load_catalog
from harness.errors import HarnessError
from harness.store.records import MetricSpec


def test_differences_of_one_unit_and_direction_share_a_panel(result):
    specs = [MetricSpec("scenes", 1, "top1", "%", True, "", True), MetricSpec("rooms", 1, "error", "m", False, "", True)]
    specs += [MetricSpec("digits", 1, "top1", "%", True, "", True), MetricSpec("wrong", 1, "missed", "%", False, "", True)]
    trials = [
        result(name, seed, {spec.metric: value + seed}, benchmark=spec.benchmark)
        for spec in specs
        for name, value in (("a", 1.0), ("b", 2.0))
        for seed in range(3)
    ]
    board = build(trials, specs, [])
    found = view.panels(compare(board, ["a", "b"]))
    assert [(some.unit, some.higher_is_better, {row.benchmark for row in some.rows}) for some in found] == [
        ("%", True, {"digits", "scenes"}),
        ("m", False, {"rooms"}),
        ("%", False, {"wrong"}),
    ]
    for some in found:
        assert all(-some.reach <= end <= some.reach for row in some.rows for end in (row.difference, *row.ci95))
    blocks = view.shared(board, ["b", "a", "nobody"])
    assert {(each.name, each.where) for each in blocks} == {(spec.benchmark, f"{spec.benchmark} v1") for spec in specs}
    assert [[*each.rows] for each in blocks] == [["b", "a"]] * 4
    assert view.shared(board, ["a"]) == [] and view.panels([]) == []


@pytest.fixture
def pair(result, specs):
    """Two methods with two seeds in common, and what they score on eight images."""
    right = {("a", 0): "11110000", ("a", 1): "11111100", ("a", 2): "00000000", ("b", 1): "01111001", ("b", 0): "01110001"}
    values = {key: np.array([100.0 * int(digit) for digit in text], np.float32) for key, text in right.items()}
    trials = {key: result(*key, {"top1": float(some.mean())}) for key, some in values.items()}
    board = build(trials.values(), specs, [])
    rows = {row.method: row for row in board.rows if row.primary}
    extra = {"label": np.arange(8.0), "best_iou": np.linspace(0, 1, 8)}
    stored = {trials[key].digest: {**extra, "top1": some, "guess": np.arange(8.0) + (some == 0)} for key, some in values.items()}
    return rows["a"], rows["b"], stored


def test_samples_are_paired_by_seed_and_place(pair):
    some, iou = view.scores(*pair)
    assert (some.score, some.made, some.unit, some.higher_is_better, some.seeds) == ("top1", True, "%", True, (0, 1))
    assert some.a.tolist() == [100, 100, 100, 100, 50, 50, 0, 0] and some.b.tolist() == [0, 100, 100, 100, 50, 0, 0, 100]
    assert some.higher == (2, 5, 1)
    assert view.furthest(some, 9) == [0, 7, 5] and view.furthest(some, 1) == [0]
    assert {(dot.a, dot.b): dot.samples for dot in view.dots(some)} == {
        (0.0, 0.0): (6,),
        (0.0, 100.0): (7,),
        (50.0, 0.0): (5,),
        (50.0, 50.0): (4,),
        (100.0, 0.0): (0,),
        (100.0, 100.0): (1, 2, 3),
    }
    assert some.guesses[1][:, 0].tolist() == [1.0, 1.0] and some.labels.tolist() == list(range(8))
    assert (iou.score, iou.made, iou.unit, iou.higher_is_better) == ("best_iou", False, "", None)


def test_what_does_not_pair_has_no_scores(pair):
    a, b, stored = pair
    assert view.scores(a, b, {}) == []
    half = {digest: {name: values[:4] for name, values in some.items()} if digest in b.digests else some for digest, some in stored.items()}
    assert view.scores(a, b, half) == []
    without = {digest: {"label": some["label"]} for digest, some in stored.items()}
    assert view.scores(a, b, without) == []


@pytest.mark.parametrize("count", [50, 5000])
def test_every_sample_lies_in_one_dot(count):
    values = np.random.default_rng(0).normal(size=(2, 3, count))
    values[0, 1, 7] = np.nan
    some = Scores("error", True, "m", False, (0, 1, 2), values[0], values[1], None, None)
    found = view.dots(some)
    assert sorted(sample for dot in found for sample in dot.samples) == [place for place in range(count) if place != 7]
    assert len(found) <= view.LEVELS**2 and (len(found) == count - 1) == (count == 50)
    side = (np.nanmax([some.a, some.b]) - np.nanmin([some.a, some.b])) / view.LEVELS
    for dot in found:
        mine = list(dot.samples)
        assert abs(some.a[mine] - dot.a).max() <= side and abs(some.b[mine] - dot.b).max() <= side
        gaps = abs(some.a - some.b)[mine].tolist()
        assert gaps == sorted(gaps, reverse=True)


def test_the_image_behind_a_place_is_the_one_that_was_scored(tmp_path, monkeypatch):
    """Places are those of the test loader: the class that a trial stores at a place is that of the image found there."""
    from harness import benchmarks, data

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    catalog = load_catalog()
    task = benchmarks.task(catalog.benchmarks["digits"])
    with pytest.raises(HarnessError, match="harness data prepare digits"):
        test_images.find(catalog, "digits", data.fingerprint(task, None), 797)
    data.ensure(task, None)
    found = test_images.find(catalog, "digits", data.fingerprint(task, None), 797)
    for place in (0, 400, 796):
        sample = found.sample(place)
        assert sample.caption == found.listing.classes[found.listing.test[place].label]
        assert sample.name == found.names[place]
    for wrong, count in (("another", 797), (data.fingerprint(task, None), 796)):
        with pytest.raises(HarnessError, match="these trials"):
            test_images.find(catalog, "digits", wrong, count)
    with pytest.raises(HarnessError, match="no benchmark 'left'"):
        test_images.find(catalog, "left", "", 1)
