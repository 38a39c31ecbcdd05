"""Numbers as text, for every unit and for values that are awkward."""

from __future__ import annotations

import math

import pytest

from harness.analysis.numbers import MEASURE, change, duration, estimate, exact, interval, number, p_value, probability, scaled

UNITS = ("%", "m", "°", "deg", "px", "", "s", MEASURE)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.345, "%", "12.3"), (0.12345, "m", "0.123"), (3.0, "px", "3.00"), (3.0, "deg", "3.00"), (3.0, "°", "3.00"),
        (0.000123456, "", "0.0001235"), (1234.5678, "m", "1234.568"),
        (12345.0, "s", "1.234e+04"), (5, "", "5"), (1e-9, "", "1e-09"), (1e12, "%", "1000000000000.0"),
        (99.9994, MEASURE, "99.999"), (100.0, MEASURE, "100"), (-100.06, MEASURE, "-100.1"), (-12.345, "%", "-12.3"),
    ],
)  # fmt: skip
def test_the_unit_sets_the_decimals(value, unit, text):
    assert number(value, unit) == text


@pytest.mark.parametrize("unit", UNITS)
def test_awkward_values_in_every_unit(unit):
    assert [number(value, unit) for value in (None, math.nan, math.inf, -math.inf)] == ["-", "-", "inf", "-inf"]
    assert number(-0.0, unit) == number(0.0, unit) == number(0, unit) and not number(-0.0, unit).startswith("-")
    assert float(number(-1e-9, unit)) == pytest.approx(0, abs=1e-9) and number(-1e-9, "%") == "0.0"
    assert float(number(1e12, unit)) == 1e12


def test_an_estimate_is_a_mean_and_half_its_interval():
    assert estimate(71.0, (58.294, 83.706), "%") == "71.0 ± 12.7"
    assert estimate(71.0, None, "%") == "71.0" and estimate(None, None) == "-" and estimate(math.nan, None, "m") == "-"
    assert estimate(1.0, (-math.inf, math.inf), "%") == "1.0 ± inf"


def test_differences_have_a_sign():
    assert [change(value) for value in (0.12345, -12.0, 0.0, -0.0, 1e-9, 1e12, None, math.nan)] == [
        "+0.123", "-12", "+0", "+0", "+1e-09", "+1e+12", "-", "-",
    ]  # fmt: skip
    assert interval((-0.5, 0.25)) == "-0.5 to +0.25" and interval(None) == "-"


def test_probabilities_costs_and_recorded_numbers():
    assert (probability(0.04994), probability(None), probability(math.nan)) == ("0.050", "-", "-")
    assert (scaled(1_234_567, 1e6, ".2f"), scaled(None, 1e9, ".3g"), scaled(0, 1, ".3g")) == ("1.23", "-", "0")
    assert (exact(1 / 3), exact(6e7), exact(-0.0)) == ("0.333333", "6e+07", "0")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89.0, "89 s"), (90.0, "2 min"), (5399.0, "90 min"), (5400.0, "1.5 h"), (172_799.0, "48.0 h"), (345_600.0, "4 days")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_no_p_value_is_zero():
    assert [probability(p) for p in (None, 0.0, 0.0004, 0.0006, 1.0)] == ["-", "<0.001", "<0.001", "0.001", "1.000"]
    assert (p_value(1e-9), p_value(0.047)) == ("p < 0.001", "p = 0.047")
