"""Axes and diagrams: places are in order, numbers are where their ticks say, and nothing lies outside."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report import boards
from harness.report.across import _diagram
from harness.report.drawing import axis, cost_axis

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=20), st.none() | NUMBERS)
def test_an_axis_holds_its_values_in_order(values, floor):
    found = axis(values, floor=floor)
    places = [found.at(value) for value in sorted(values)]
    assert places == sorted(places) and 0 <= places[0] <= places[-1] <= 100 and all(map(found.shows, values))
    for tick in found.ticks:
        assert abs(found.at(float(tick.text)) - tick.at) < 1 and 0 <= tick.at <= 100


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e9).map(lambda cost: float(f"{cost:.9g}")), min_size=1, max_size=20))  # a rounding apart is no axis
def test_an_axis_of_costs_is_logarithmic_where_they_differ_by_much(costs):
    found = cost_axis(costs)
    assert found.log == (max(costs) > 10 * min(costs))
    for value in costs:
        share = (value - found.low) / (found.high - found.low)
        if found.log:
            share = math.log(value / found.low) / math.log(found.high / found.low)
        assert found.at(value) == pytest.approx(100 * share, abs=0.01)
    assert all(tick.at == found.at(float(tick.text)) for tick in found.ticks)


def test_a_floor_far_off_does_not_squeeze_the_methods():
    near, far = axis([90.0, 95.0], floor=82.0), axis([90.0, 95.0], floor=10.0)
    assert near.shows(82.0) and not far.shows(10.0) and far.at(95.0) - far.at(90.0) > 80


def test_an_axis_ends_where_the_metric_does():
    found = axis([99.0, 100.0], bounds=(0.0, 100.0))
    assert found.high == 100.0 and found.at(math.inf) == 100.0
    assert axis([math.nan, math.inf]) is None and axis([]) is None


def test_numbers_on_a_chart_do_not_cover_each_other():
    points = [boards.Point(2.0 * (place % 4), 3.0 * (place // 4), None, "", place + 1) for place in range(8)]
    placed = boards._numbered(points)
    middles = [(3 * point.x + point.beside[0], 2 * (100 - point.y) + point.beside[1]) for point in placed]
    assert len({point.beside for point in placed}) > 1 and len(set(middles)) == 8
    alone = boards._numbered([boards.Point(50.0, 50.0, None, "", 1)])
    assert alone[0].beside == (8, -6)


def crosses(one, other) -> bool:
    """Whether the horizontal part of a leader crosses the vertical part of another one on its side."""
    end = 0 if one.left else 1000
    low, high = sorted((one.x, end))
    return low < other.x < high and other.y > one.y


@pytest.mark.parametrize("count", [2, 3, 11, 40])
def test_the_diagram_says_what_the_ranks_do(count):
    means = [1 + (count - 1) * (place / (count - 1)) ** 1.5 for place in range(count)]
    methods = [f"method-{place}" for place in range(count - 1)] + ["x" * 120]
    cliques = [(0, 1), (count - 2, count - 1)] if count > 3 else [(0, count - 1)]
    found = _diagram(methods, means, 1.5, cliques)
    assert [leader.whole for leader in found.leaders] == methods and all(len(leader.name) <= 30 for leader in found.leaders)
    places = [leader.x for leader in found.leaders]
    assert places == sorted(places) and places[0] == found.names and places[-1] == pytest.approx(found.width - found.names)
    unit = (found.width - 2 * found.names) / (count - 1)
    assert found.critical[1] - found.critical[0] == pytest.approx(min(1.5, count - 1) * unit, abs=0.2)
    for (start, end, height), clique in zip(found.bars, cliques, strict=True):
        assert start < places[clique[0]] <= places[clique[-1]] < end and found.axis < height < min(leader.y for leader in found.leaders)
    for side in (True, False):
        mine = [leader for leader in found.leaders if leader.left == side]
        heights = sorted(leader.y for leader in mine)
        assert all(after - before >= 15 for before, after in pairwise(heights)) and heights[-1] < found.height
        assert not [1 for one in mine for other in mine if one is not other and crosses(one, other)]
    ticks = [tick.at for tick in found.ticks]
    assert all(after - before > 12 for before, after in pairwise(ticks))
