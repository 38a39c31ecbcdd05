"""Numbers about features, masks and attention, against slow computations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.benchmarks import task
from harness.benchmarks.scenes import COLOURS
from harness.benchmarks.self_supervised.scores.features import ALIKE, rankme, spread
from harness.benchmarks.self_supervised.scores.objects import area, by_region, covered, on_object, pointing
from harness.benchmarks.self_supervised.synthetic import box_of
from harness.catalog import load_catalog
from harness.errors import UsageError


def test_rank_counts_directions():
    assert rankme(np.eye(5)) == pytest.approx(5, rel=1e-4)
    assert rankme(np.outer(np.arange(1, 8), [1.0, 2.0, 3.0])) == pytest.approx(1, rel=1e-4)
    features = np.random.default_rng(0).normal(size=(40, 6))
    values = np.sqrt(np.linalg.eigvalsh(features.T @ features))
    share = [value / sum(values) + 1e-7 for value in values]
    assert rankme(features) == pytest.approx(math.exp(-sum(p * math.log(p) for p in share)), rel=1e-9)


def test_features_of_one_vector_are_alike_and_others_are_not():
    rng = np.random.default_rng(0)
    one = np.tile(rng.normal(size=8), (30, 1)).astype(np.float32)
    assert spread(one) < ALIKE and spread(one + 1e-7 * rng.normal(size=one.shape)) < ALIKE
    assert spread(one + 0.01 * rng.normal(size=one.shape)) > ALIKE and spread(np.zeros((3, 2))) == 0
    two = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert spread(two) == pytest.approx(math.sqrt(0.5))


def test_a_token_is_covered_as_far_as_pixels_say():
    """Against counting on a fine grid."""
    box = (0.13, 0.4, 0.61, 0.87)
    fine = (np.arange(1200) + 0.5) / 1200
    inside = np.outer((fine > box[1]) & (fine < box[3]), (fine > box[0]) & (fine < box[2]))
    slow = inside.reshape(4, 300, 6, 200).mean(axis=(1, 3))
    assert np.allclose(covered(box, 4, 6), slow, atol=0.01)


def test_what_lies_on_the_object_is_counted_in_tokens():
    boxes = [(0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)]
    weights = np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    assert on_object(weights, boxes) == pytest.approx(1 / 3)
    assert on_object(np.ones((2, 16)), boxes) == pytest.approx(area(boxes)) == 0.25
    assert math.isnan(on_object(np.zeros((2, 4)), boxes))


def test_losses_and_looks_are_those_of_tokens_on_the_object_and_beside_it():
    """Against counting token by token; the second object covers half of a token."""
    boxes = [(0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 0.75, 1.0)]
    mask = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    losses = np.array([[2.0, 9.0, 9.0, 3.0], [9.0, 5.0, 9.0, 7.0]])
    on, beside = by_region(losses, mask, boxes)
    assert on == pytest.approx((2 * 1 + 7 * 0.5) / 1.5) and beside == pytest.approx((3 + 5 + 7 * 0.5) / 2.5)
    assert np.isnan(by_region(losses, np.zeros((2, 4)), boxes)).all()
    assert pointing(np.array([[0.5, 0.1, 0.2, 0.2], [0.1, 0.2, 0.3, 0.4]]), boxes) == pytest.approx((1 + 0.5) / 2)
    assert pointing(np.full((2, 4), 0.25), boxes) == pytest.approx(area(boxes)), "a map that looks everywhere alike"


def test_boxes_are_where_the_objects_are_drawn(tmp_path):
    from harness.images import read_rgb

    entry = load_catalog().benchmarks["scenes-pretraining"]
    chosen = task(entry.model_copy(update={"data": {**entry.data, "train": 12, "test": 12, "classes": 4}}))
    chosen.generate(tmp_path)
    listing = chosen.listing(tmp_path)
    for sample in listing.test:
        box = box_of(tmp_path, sample.file)
        inside = covered(box, 32, 32) > 0.5
        image = read_rgb(sample.file).astype(float)
        # the pixels most like the class's colour are the object's
        far = np.abs(image - COLOURS[sample.label]).sum(axis=2)
        assert inside[far <= np.sort(far, axis=None)[5]].all(), sample.file
    floor = chosen.floor(tmp_path)
    assert floor["masked_on_object"] == pytest.approx(100 * area([box_of(tmp_path, sample.file) for sample in listing.test]))
    assert floor.keys() < {metric.name for metric in chosen.metrics}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"patch": 5}}, "no multiple of model.patch"),
        ({"data": {"augment": "crop"}}, "data.augment"),
        ({"model": {"host": "mae", "views": {"locals": 2}}}, "local views are those of the host ibot"),
        ({"model": {"weights": {"file": "x"}}}, "pre-training begins without weights"),
        ({"model": {"heads": 5}}, "multiple of the number of heads"),
    ],
)
def test_options_that_exclude_each_other_are_named(changes, message):
    entry = load_catalog().benchmarks["scenes-pretraining"]
    update = {part: {**getattr(entry, part), **values} for part, values in changes.items()}
    if "patch" in changes.get("model", {}):
        update["model"]["views"] = {}
    with pytest.raises(UsageError, match=message):
        task(entry.model_copy(update=update)).config({})
