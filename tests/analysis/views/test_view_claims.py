"""The claims page's view: filters, counts, and what is printed beside what was measured."""

from __future__ import annotations

import pytest

from harness.analysis.claims.verdicts import Evidence, Judged
from harness.analysis.views import claims
from harness.catalog import Claim


def claim(name, **changes):
    about = {"better": "a", "than": "b", "metric": "top1", "family": "classification"}
    return Claim.model_validate({"id": name, "statement": f"Of {name}.", "source": "A, 2020", "place": "table 1"} | about | changes)


def test(benchmark, difference, ci95, adjusted=0.001, notes=()):
    about = {"version": 2, "measure": "top1", "unit": "%", "higher_is_better": True, "a": 70.0, "b": 70.0 - difference, "seeds": (5, 3)}
    return Evidence(benchmark, **about, difference=difference, ci95=ci95, p=0.0005, adjusted=adjusted, towards=difference > 0, notes=notes)


test.__test__ = False

PRINTED = [{"values": [77.0, 75.5], "place": "slide 'Ärger'"}, {"values": [50.0, 53.0], "where": {"table_title": "T", "dataset": "d…"}}]


@pytest.fixture
def judged():
    first = claim("first", published=PRINTED, margin=None)
    lower = claim("second", better=None, lower="c", than="d", metric=None, diagnostic="entropy", family="segmentation")
    return [
        Judged(first, "synthetic", (test("scenes", 3.0, (1.0, 5.0), notes=("a was tuned",)), test("digits", -1.0, (-3.0, 1.0), 0.4))),
        Judged(first, "small", (test("cifar", -9.0, (-12.0, -6.0)),)),
        Judged(first, "paper", ()),
        Judged(lower, None, (), why="there is no family"),
    ]


def test_a_line_has_the_verdict_of_each_tier(judged):
    first, second = claims.lines(judged)
    assert [first.on(tier).verdict if first.on(tier) else None for tier in claims.TIERS] == ["agrees", "disagrees", "not measured", None]
    assert second.on(claims.NOWHERE).verdict == "not measured" and second.said("paper") == "-"
    assert (
        first.said("synthetic") == "agrees (1 agrees, 1 undecided): +3 % (+1 to +5); -1 % (-3 to +1) †"
        and first.said("small") == "disagrees: -9 % (-12 to -6)"
    )
    assert first.published == "+1.5 to +3 %" and second.published == "no number"
    assert claims.counts([first, second]) == {
        "synthetic": {"agrees": 1},
        "small": {"disagrees": 1},
        "paper": {"not measured": 1},
        claims.NOWHERE: {"not measured": 1},
    }


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["first", "second"]),
        ({"family": ["segmentation"]}, ["second"]),
        ({"verdict": ["disagrees"]}, ["first"]),
        ({"verdict": ["disagrees"], "tier": ["synthetic"]}, []),
        ({"verdict": ["not measured"], "tier": ["small", "synthetic"]}, []),
        ({"tier": [claims.NOWHERE]}, ["second"]),
        ({"method": ["d", "z"]}, ["second"]),
        ({"words": "of FIRST 2020"}, ["first"]),
        ({"words": "first absent"}, []),
    ],
)
def test_filters(judged, filters, found):
    assert [line.id for line in claims.lines(judged, **filters)] == found


def test_what_is_printed_stands_beside_what_was_measured(judged):
    first, second = claims.lines(judged)
    found = claims.differences(first)
    assert [(one.tier, one.where, one.difference, one.verdict) for one in found] == [
        (claims.PRINTED, "slide 'Ärger'", 1.5, None),
        (claims.PRINTED, "T, d…", 3.0, None),
        ("synthetic", "scenes v2", 3.0, "agrees"),
        ("synthetic", "digits v2", -1.0, "undecided"),
        ("small", "cifar v2", -9.0, "disagrees"),
    ]
    assert found[2].text == "+3 % (+1 to +5)" and found[2].seeds == "5 / 3" and found[2].notes == ("a was tuned",)
    assert claims.differences(second) == []
