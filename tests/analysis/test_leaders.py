"""Who leads a benchmark: by narrow intervals, never by a spread that lets nothing be told apart."""

from __future__ import annotations

import pytest

from harness.analysis.leaderboard import build
from harness.analysis.leaders import Leaders
from harness.analysis.views import benchmark
from harness.store.records import MetricSpec


@pytest.fixture
def found(result):
    def lead(unit: str = "", higher: bool = True, moderated: bool = True, **values: tuple[float, ...]) -> Leaders:
        spec = [MetricSpec("scenes", 1, "score", unit, higher, "", True)]
        trials = [result(name, seed, {"score": value}) for name, some in values.items() for seed, value in enumerate(some)]
        return benchmark.tables(build(trials, spec, [], moderated=moderated), "scenes")[0].leaders

    return lead


NEAR = {"gem": (90.0, 91.0, 92.0, 91.0, 90.5), "lse": (90.1, 91.0, 91.7, 91.0, 90.4)}
FAR = {"se": (50.0, 51.0, 52.0, 51.0, 50.5), "cbam": (49.0, 51.0, 52.0, 51.5, 50.5)}
WIDE = {"how": (93.0, 20.0, 92.0, 93.0, 40.0)}


def test_those_of_narrow_intervals_lead_and_a_wide_one_is_open(found):
    both = found(**NEAR, **FAR, **WIDE)
    assert (both.leading, both.open) == ({"gem", "lse"}, {"how"})
    assert both.sentence == "gem and lse lead and cannot be told apart; how has too wide a spread to be placed."
    one = found(gem=NEAR["gem"], **FAR, x=(70.0,))
    assert one.sentence == "gem leads; x has fewer than two seeds to be placed by."


def test_a_best_of_wide_spread_makes_no_leader_of_what_it_cannot_be_told_apart_from(found):
    spread = found(how=(80.0, 140.0, 100.0, 60.0, 120.0), **NEAR, **FAR)
    assert (spread.leading, spread.open) == ({"gem", "lse"}, {"how"}), "se is told apart from gem"
    assert spread.sentence == "gem and lse lead and cannot be told apart; how (of the best mean) has too wide a spread to be placed."


def test_one_of_one_seed_is_not_the_best_of_those_that_are_open_and_no_number_is_no_lack_of_seeds(found):
    told = found(x=(200.0,), gem=NEAR["gem"], how=(93.0, 20.0, 92.0, 93.0, 200.0), **FAR, lse=(90.0, float("nan"), 91.0)).sentence
    assert "how has too wide a spread" in told and "(of the best mean)" not in told
    assert "x has fewer than two seeds to be placed by; lse has no number in a seed or more" in told


def test_lower_may_be_better_and_where_nothing_differs_nobody_leads(found):
    assert found(higher=False, **NEAR, **FAR).leading == {"se", "cbam"}
    assert found(**NEAR).sentence == "No method leads: the two cannot be told apart."
    assert found(gem=(90.0,), lse=(80.0,)) == Leaders()


def test_who_leads_does_not_depend_on_the_intervals_that_are_shown(found):
    values = {"gap": (94.3, 96.7), "gem": (95.9, 95.2), "otk": (80.0, 81.5), "se": (70.0, 69.0), "lse": (60.0, 61.0)}
    shown = found(**values, unit="%")
    assert shown.leading == {"gap", "gem"} and shown == found(**values, unit="%", moderated=False)


def test_long_lists_and_names_are_cut(found):
    many = {f"m{number}-{'x' * 60}-end{number}": (90.0, 91.0, 92.0, 91.0, 90.5) for number in range(9)}
    sentence = found(**many, **FAR).sentence
    assert "…" in sentence and "-end0" in sentence and sentence.endswith(" and 4 others lead and cannot be told apart.")
