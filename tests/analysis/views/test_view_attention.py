"""The attention page's view: which map is shown, what a profile and a course are made of."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.diagnostics import build as describe
from harness.analysis.leaderboard import build
from harness.analysis.views import attention
from harness.diagnostics.maps import Pictured

DRAW = np.random.default_rng(0)
IMAGE = np.zeros((8, 8, 3), np.uint8)
TWO = Pictured(0, IMAGE, {"encoder.9": DRAW.random((4, 3, 5)), "encoder.10": DRAW.random((2, 4, 4))})
ONE = Pictured(0, IMAGE, {"neck": np.array([[[0.0, np.nan], [1.0, np.inf]]])})


def test_the_last_layer_is_each_methods_own():
    assert attention.layers([TWO, ONE]) == ["encoder.9", "encoder.10", "neck"]
    assert attention.map_of(TWO).layer == "encoder.10" and attention.map_of(ONE).layer == "neck"
    assert attention.map_of(TWO, "neck") is attention.map_of(Pictured(0, IMAGE)) is None
    assert [attention.heads([TWO, ONE], layer) for layer in ("encoder.9", attention.LAST, "none")] == [4, 2, 0]


def test_a_map_is_a_head_or_the_mean_over_them():
    found = attention.map_of(TWO, "encoder.9", "2")
    assert (found.values == TWO.maps["encoder.9"][2]).all() and (found.heads, found.head) == (4, "2")
    mean = attention.map_of(TWO, "encoder.9")
    np.testing.assert_allclose(mean.values, sum(TWO.maps["encoder.9"]) / 4)
    assert mean.limits == (mean.values.min(), mean.values.max()) and mean.grid == "3 × 5"
    for wrong in ("4", "-1", "1.0", "x", "", "9" * 20):
        assert attention.map_of(TWO, "encoder.9", wrong) is None
    assert attention.map_of(ONE).values.tolist() == [[0, 0], [1, 0]]

    def asked(one, layer, head):
        return [[(found.layer, found.head) for found in row] for row in attention.chosen(one, layer, head)]

    nine, ten = ([(layer, str(head)) for head in range(count)] for layer, count in (("encoder.9", 4), ("encoder.10", 2)))
    assert asked(TWO, attention.EVERY, attention.EVERY) == [nine, ten]
    assert asked(TWO, attention.LAST, attention.EVERY) == [ten]
    assert asked(TWO, attention.EVERY, "3") == [[("encoder.9", "3")]], "the other layer has two heads"
    assert asked(TWO, "none", attention.EVERY) == asked(Pictured(0, IMAGE), attention.EVERY, attention.MEAN) == []
    low, high = attention.common_limits([mean, attention.map_of(ONE)])
    assert low == 0 and high == max(1.0, mean.values.max()) and attention.common_limits([]) is None


@pytest.fixture
def described(result, specs):
    results = [
        result(
            method,
            seed,
            {"top1": 50.0 + seed},
            diagnostics={
                "entropy": 1.0,
                "entropy/layer.2": level + seed,
                "entropy/layer.10": 1.0,
                "entropy/layer.2/head1": 0.5,
                "entropy_uniform/layer.2": 3.0,
                "renormalised/layer.10": 1.0,
                "qk_distance/layer.2": 2.0,
            },
        )
        for method, level in (("gap", 1.0), ("gem", 2.0), ("how", 0.0))
        for seed in range(2)
    ]
    return describe(build(results, specs, []), results)


def test_a_profile_is_a_measure_layer_by_layer(described):
    assert attention.measures(described) == ["entropy", "qk_distance"]
    found = attention.profile(described, "entropy", ["gem", "gap"])
    assert found.layers == ("layer.2", "layer.10"), "by their numbers"
    assert [(p.method, p.layer) for p in found.points] == [
        ("gem", "layer.10"),
        ("gem", "layer.2"),
        ("gap", "layer.10"),
        ("gap", "layer.2"),
    ]
    point = next(p for p in found.points if (p.method, p.layer) == ("gem", "layer.2"))
    assert (point.values, point.mean, point.uniform, point.renormalised) == ((2.0, 3.0), 2.5, 3.0, False)
    assert point.ci95[0] < 2.5 < point.ci95[1]
    assert [p.renormalised for p in found.points if p.layer == "layer.10"] == [True, True]
    assert attention.profile(described, "qk_distance", ["gap"]).points[0].uniform is None


def test_a_course_is_over_layers_or_of_one():
    rows = [
        {"iteration": iteration, "layer": layer, "qk_distance": iteration * scale, "purity": np.nan}
        for iteration in (3, 1)
        for layer, scale in (("a", 1.0), ("b", 3.0))
    ]
    curves = {("gap", 0, "d0"): rows, ("gap", 1, "d1"): [row for row in rows if row["iteration"] == 3], ("gem", 0, "d2"): []}
    found = attention.courses(curves, "qk_distance")
    assert [(one.method, one.seed, one.digest, one.points) for one in found] == [
        ("gap", 0, "d0", ((1, 2.0), (3, 6.0))),
        ("gap", 1, "d1", ((3, 6.0),)),
    ]
    assert attention.courses(curves, "qk_distance", "b")[0].points == ((1, 3.0), (3, 9.0))
    assert attention.courses(curves, "purity") == attention.courses(curves, "entropy") == []
    assert attention.mean_course(found) == ((3, 6.0),) and attention.mean_course([]) == ()
