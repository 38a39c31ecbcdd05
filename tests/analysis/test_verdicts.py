"""Verdicts on claims: by direction and margin, within one block only, and rarely wrong where there is nothing to find."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

from harness.analysis.claims.columns import Blocks
from harness.analysis.claims.tables import commands, counts, overview
from harness.analysis.claims.verdicts import Judged, as_json, judge, published
from harness.analysis.diagnostics import build as describe
from harness.analysis.leaderboard import build
from harness.catalog import Claim, load_catalog
from harness.listing import Place
from harness.outcome import Cost
from harness.store.records import Floor, MetricSpec

SPECS = [MetricSpec(name, version, metric, unit, higher, metric, metric == "top1")
         for name in ("scenes", "digits") for version in (1, 2)
         for metric, unit, higher in (("top1", "%", True), ("error", "m", False))]  # fmt: skip


def claim(name: str = "c", **changes) -> Claim:
    about = {"better": "a", "than": "b", "metric": "top1"} if not {"higher", "lower", "alike"} & changes.keys() else {}
    return Claim.model_validate({"id": name, "statement": "s", "source": "A", "place": "p", "family": "classification", **about, **changes})


@pytest.fixture
def judged(result):
    """``judged(claims, {method: values}, ...)`` -> verdicts; ``trials`` are added as they are."""

    def make(
        claims,
        values=None,
        metric="top1",
        on=("scenes",),
        trials=(),
        tiers=None,
        settings=None,
        unfinished=(),
        tuned=False,
        floors=(),
        **about,
    ) -> list[Judged]:
        made = [
            result(method, seed, {metric: value}, benchmark=bench, **about)
            for bench in on
            for method, row in (values or {}).items()
            for seed, value in enumerate(row)
        ]
        results = [*made, *trials]
        board = build(results, SPECS, [*floors], settings=settings, unfinished=unfinished)
        where = {item.id: [Place(bench, (tiers or {}).get(bench, "synthetic"), item.measure) for bench in on] for item in claims}
        return judge(claims, where, Blocks(board, describe(board, results), tuned), {})

    return make


A, B = (70.0, 71.0, 69.5, 70.4), (60.0, 61.2, 59.9, 60.3)


@pytest.mark.parametrize(
    ("metric", "values", "verdict"),
    [
        ("top1", {"a": A, "b": B}, "agrees"),
        ("top1", {"a": B, "b": A}, "disagrees"),
        ("error", {"a": B, "b": A}, "agrees"),
        ("error", {"a": A, "b": B}, "disagrees"),
        ("top1", {"a": A, "b": A}, "undecided"),
        ("top1", {"a": A}, "not measured"),
        ("top1", {}, "not measured"),
    ],
)
def test_the_metrics_direction_decides(judged, metric, values, verdict):
    for order in (values, dict(reversed(values.items()))):
        (row,) = judged([claim(metric=metric)], order, metric)
        assert row.verdict == verdict
        for test in row.tests:
            assert test.difference == pytest.approx((np.mean(test.a) - np.mean(test.b)) * (1 if metric == "top1" else -1))
            assert np.sign(test.difference) == {"agrees": 1, "disagrees": -1, "undecided": 0}[verdict]
            assert test.ci95[0] < test.difference < test.ci95[1]


@pytest.mark.parametrize(
    ("b", "margin", "verdict"),
    [(70.4, 5.0, "agrees"), (50.0, 5.0, "disagrees"), (90.0, 5.0, "disagrees"), (70.4, 0.2, "undecided"), (65.0, 5.0, "undecided")],
)
def test_alike_is_an_interval_within_the_margin(judged, b, margin, verdict):
    values = {"a": A, "b": [b + x for x in (0.4, -0.5, 0.1, 0.0)]}
    (row,) = judged([claim(alike="a", than="b", metric="top1", margin=margin)], values)
    (test,) = row.tests
    assert row.verdict == verdict
    within = -margin < test.ci95[0] and test.ci95[1] < margin
    outside = test.ci95[1] < -margin or test.ci95[0] > margin
    assert (within, outside) == (verdict == "agrees", verdict == "disagrees"), "both one-sided tests are what the interval says"


def _described(result, method, **measures):
    """Trials with diagnostics: measure -> one value per seed."""
    seeds = range(len(next(iter(measures.values()))))
    return [result(method, seed, {"top1": 50.0}, diagnostics={name: row[seed] for name, row in measures.items()}) for seed in seeds]


def test_diagnostics_are_held_against_a_method_a_number_or_each_other(judged, result):
    trials = [
        *_described(result, "a", entropy=(2.0, 2.1, 1.95, 2.0), entropy_uniform=(4.0, 4.0, 4.1, 4.05), purity=(0.9, 0.92, 0.91, 0.9)),
        *_described(result, "b", entropy=(3.0, 3.1, 2.95, 3.0), entropy_uniform=(4.0, 4.0, 4.1, 4.05), purity=(0.5, 0.52, 0.51, 0.5)),
    ]
    said = {
        "agrees": [
            claim("1", lower="a", than="b", diagnostic="entropy"),
            claim("2", lower="a", than="entropy_uniform", diagnostic="entropy"),
            claim("3", higher="a", than=0.75, diagnostic="purity"),
            claim("4", lower="b", than=0.75, diagnostic="purity"),
        ],
        "disagrees": [claim("5", higher="a", than="b", diagnostic="entropy"), claim("6", higher="b", than=0.75, diagnostic="purity")],
        "not measured": [claim("7", higher="a", than="b", diagnostic="qk_distance")],
    }
    rows = judged([item for some in said.values() for item in some], trials=trials)
    assert [row.verdict for row in rows] == [verdict for verdict, some in said.items() for _ in some]
    by_id = {row.claim.id: row for row in rows}
    (between,), (alone,) = by_id["2"].tests, by_id["3"].tests
    assert (between.a, between.b, between.difference) == pytest.approx((2.0125, 4.0375, 2.025))
    assert (alone.b, alone.difference) == pytest.approx((0.75, 0.1575))
    assert "qk_distance not recorded" in by_id["7"].reason


def test_only_what_stands_in_one_table_is_compared(judged, result):
    def trials(method, values, **about):
        return [result(method, seed, {"top1": value}, **about) for seed, value in enumerate(values)]

    for other in ({"version": 2}, {"dataset": "d2"}, {"setting": "other"}):
        (row,) = judged([claim()], trials=[*trials("a", A, **other), *trials("b", B)])
        assert (row.verdict, row.tests) == ("not measured", ()), other
    (row,) = judged(
        [claim()], trials=[*trials("a", A, overrides=("schedule.epochs=1",)), *trials("b", B, overrides=("schedule.epochs=1",))]
    )
    assert row.verdict == "not measured", "what --set changed of the benchmark is not what the registry says"
    (row,) = judged([claim()], trials=[*trials("a", A, overrides=("method.gamma=2",)), *trials("b", B)])
    assert row.tests[0].notes == ("a was run with --set method.gamma=2, not as registered",)
    settings = {"t": {"dataset": "d1", "tuning": {"trials": 8, "seeds": 1, "space": {}}}}
    tuned = [*trials("a", A, setting="t", tuning="s"), *trials("b", B, setting="t", tuning="s")]
    (row,) = judged([claim()], trials=tuned, settings=settings)
    assert row.tests[0].notes == ("a was tuned with 8 trials", "b was tuned with 8 trials")
    turned = [*trials("a", B, setting="t", tuning="s"), *trials("b", A, setting="t", tuning="s")]
    for asked, verdict in ((False, "agrees"), (True, "disagrees")):
        (row,) = judged([claim()], trials=[*trials("a", A), *trials("b", B), *turned], settings=settings, tuned=asked)
        assert (row.verdict, row.tests[0].notes) == (verdict, ())
    (row,) = judged([claim()], trials=[*trials("a", A), *trials("b", B)], tuned=True)
    assert row.verdict == "not measured" and "not run on scenes" in row.reason
    (row,) = judged([claim()], trials=[*trials("a", A), *trials("b", B), result("a", 0, dataset="d2")])
    assert row.tests[0].notes == (
        "tested on another block than the leaderboard's first: other data: fingerprint d1, where the first block has d2",
    )
    (row,) = judged([claim()], trials=[*tuned, result("a", 0, dataset="d2")], settings=settings)
    assert len(row.tests[0].notes) == 3 and "d2" in row.tests[0].notes[0] and "tuned" not in row.tests[0].notes[0]
    (row,) = judged([claim()], trials=[*trials("a", A, labels={"attention": "collapsed"}), *trials("b", B)])
    assert "collapsed to next to one position in 4 of 4 seeds" in row.tests[0].notes[0]


def test_too_few_seeds_decide_nothing(judged):
    (row,) = judged([claim()], {"a": A, "b": B[:1]})
    assert (row.verdict, row.tests[0].p, row.tests[0].ci95, row.reason) == ("undecided", None, None, "one seed only on scenes")
    assert row.tests[0].difference == pytest.approx(np.mean(A) - B[0])
    (row,) = judged([claim()], {"a": A, "b": (60.0, math.nan, 60.1)})
    assert row.verdict == "undecided" and "not a number" in row.reason
    (row,) = judged([claim()], {"a": (100.0, 100.0, 100.0), "b": (0.0, 0.0, 0.0)})
    assert (row.verdict, row.reason) == ("undecided", "seeds that do not differ on scenes")


def test_costs_are_compared_as_they_are(judged, result):
    cheaper = claim(metric="params")
    (row,) = judged([cheaper], {"a": A[:1], "b": B[:1]})
    assert (row.verdict, row.tests[0].difference) == ("undecided", 0.0), "the same number of parameters is not fewer"
    for fewer, verdict in (("a", "agrees"), ("b", "disagrees")):
        trials = [result(name, 0, {"top1": 50.0}, cost=Cost(params=900 if name == fewer else 1000)) for name in "ab"]
        (row,) = judged([cheaper], trials=trials)
        assert (row.verdict, abs(row.tests[0].difference)) == (verdict, 100.0), "one seed tells as much as ten"
        assert overview([row])[0][2] == f"{verdict}: {'+' if fewer == 'a' else '-'}0.0001 Mparams"


def test_a_tier_agrees_where_one_benchmark_does_and_none_disagrees(judged, result):
    def trials(bench, a, b):
        return [result(m, s, {"top1": v}, benchmark=bench) for m, row in (("a", a), ("b", b)) for s, v in enumerate(row)]

    both = ("scenes", "digits")
    (row,) = judged([claim()], on=both, trials=[*trials("scenes", A, B), *trials("digits", A, A)])
    assert [test.verdict for test in row.tests] == ["agrees", "undecided"] and row.verdict == "agrees"
    assert re.fullmatch(r"agrees \(1 agrees, 1 undecided\): \+9\.88 % \(.*\); \+0 % \(.*\)", overview([row])[0][2]), "each has its number"
    (row,) = judged([claim()], on=both, trials=[*trials("scenes", A, B), *trials("digits", B, A)])
    assert {test.verdict for test in row.tests} == {"agrees", "disagrees"} and row.verdict == "undecided"
    rows = judged([claim()], on=both, trials=[*trials("scenes", A, B), *trials("digits", B, A)], tiers={"digits": "small"})
    assert [(row.tier, row.verdict) for row in rows] == [("synthetic", "agrees"), ("small", "disagrees")], "tiers are apart"


@pytest.mark.parametrize(("floor", "verdict"), [(80.0, "undecided"), (65.0, "agrees"), (10.0, "agrees")])
def test_two_methods_below_the_floor_decide_nothing(judged, floor, verdict):
    """Whichever of two is further below what needs no learning, neither has learned the task."""
    (row,) = judged([claim()], {"a": A, "b": B}, floors=[Floor("scenes", 1, "d1", "top1", floor)])
    assert row.verdict == verdict and row.tests[0].beaten == (verdict == "undecided")
    assert any("worse than the floor" in note for note in row.tests[0].notes) == row.tests[0].beaten


def test_holm_goes_over_the_tests_of_a_tier(judged):
    values = {"a": (50.0, 51.0, 52.5), "b": (46.0, 47.6, 48.3)}
    (alone,) = judged([claim()], values)
    p = alone.tests[0].p
    assert 0.02 < p < 0.05 and alone.tests[0].adjusted == p and alone.verdict == "agrees"
    rows = judged([claim("1"), claim("2", better="b", than="a")], values)
    assert [row.tests[0].adjusted for row in rows] == pytest.approx([2 * p] * 2) and {row.verdict for row in rows} == {"undecided"}
    assert [row.tests[0].difference for row in rows] == pytest.approx([3.8667, -3.8667], abs=1e-3)


METHODS = "abcdef"
MANY = [claim(f"{x}{y}", better=x, than=y) for x, y in itertools.pairwise(METHODS)]
MANY += [claim(f"{x}{y}-alike", alike=x, than=y, metric="top1", margin=1.0) for x, y in (("a", "c"), ("b", "d"))]


def _simulated(judged, means, seeds, draws, rng) -> list[list[Judged]]:
    return [
        judged(MANY, {name: rng.normal(mean, 1.0, seeds) for name, mean in zip(METHODS, means, strict=True)}, on=("scenes", "digits"))
        for _ in range(draws)
    ]


@pytest.mark.parametrize("seeds", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_false_verdicts_are_rare_among_all_claims(judged, seeds):
    """No method is better than the next, and those said to be alike lie on the margin, where both verdicts are false."""
    draws = 200
    found = _simulated(judged, (60, 60, 61, 61, 61, 61), seeds, draws, np.random.default_rng(seeds))
    null = {claim.id for claim in MANY} - {"bc"}  # b and c do differ
    wrong = sum(any(row.verdict in ("agrees", "disagrees") for row in rows if row.claim.id in null) for rows in found)
    assert wrong / draws <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)


def test_differences_that_are_there_are_found(judged):
    found = _simulated(judged, (60, 50, 60, 50, 60, 50), 4, 40, np.random.default_rng(0))
    verdicts = {row.claim.id: [rows[i].verdict for rows in found] for i, row in enumerate(found[0])}
    assert np.mean([verdict == "agrees" for name in ("ab", "cd", "ef") for verdict in verdicts[name]]) > 0.95
    assert np.mean([verdict == "disagrees" for name in ("bc", "de") for verdict in verdicts[name]]) > 0.95
    assert all(verdict != "disagrees" for verdict in verdicts["ac-alike"])


def test_published_differences_point_towards_the_claim():
    shipped = load_catalog().claims
    assert published(shipped["simpool-over-gap"])[0] == 2.1 and published(shipped["qka-over-mst-position"]) == [0.09, 0.01]
    assert published(shipped["gc-alike-non-local"]) == [] and published(shipped["no-encoder-sa-indoors"]) == [0.0]


def test_text_and_json_say_the_same(judged):
    rows = judged([claim(), claim("d", better="b", than="e")], {"a": A, "b": B})
    rows.append(Judged(claim("n"), None, (), why="because"))
    assert counts(rows) == ["on synthetic data: 1 in the direction of the claim, 1 not measured", "no benchmark yet: 1"]
    assert [row[0] for row in overview(rows)] == ["c", "d", "n"]
    assert overview(rows)[0][2].startswith("agrees: +9.88 %") and overview(rows)[1][2] == "not measured"
    plain = as_json(rows)
    assert [(row["id"], row["tier"], row["verdict"], row["reason"]) for row in plain] == [
        ("c", "synthetic", "agrees", ""), ("d", "synthetic", "not measured", "e not run on scenes"), ("n", None, "not measured", "because"),
    ]  # fmt: skip


def test_commands_cover_all_that_is_missing():
    benches = load_catalog().benchmarks
    item = claim(better="gap", than="gem")
    where = {item.id: [Place("digits", "small", "top1"), Place("scenes-classification", "synthetic", "top1")]}
    lines = commands(judge([item], where, Blocks(build([], [], []), []), {}), benches)
    assert sorted(name for name, _ in lines) == ["digits", "scenes-classification"]
    assert all("-m gap -m gem --seeds 5  # 1 claim," in line for _, line in lines)


def test_nobody_wins_by_the_seeds_in_which_it_did_not_fail(judged, result, waiting):
    """What is against a method of which seeds failed stands, since it is as good as its survivors at most; what is for it does not."""
    values = {"a": A, "b": B}

    def one(item, failing, state="failed", **about):
        failed = [waiting(failing, seed, state, kind="nan" if state == "failed" else None) for seed in (7, 8)]
        (row,) = judged([item], values, unfinished=failed, **about)
        return row

    for_it, against = one(claim(), "a"), one(claim(), "b")
    assert (for_it.verdict, for_it.reason) == ("undecided", "a failed in 2 of 6 seeds on scenes") and for_it.tests[0].adjusted < 0.05
    assert for_it.tests[0].notes == ("a has a result in 4 of 6 seeds (2 failed: nan), and those that did not fail are a selection",)
    assert against.verdict == "agrees" and len(against.tests[0].notes) == 1
    assert [one(claim(better="b", than="a"), name).verdict for name in ("a", "b")] == ["undecided", "disagrees"]
    alike = claim(alike="a", than="b", metric="top1", margin=0.5)
    assert [one(alike, name).verdict for name in ("a", "b")] == ["undecided"] * 2, "either side may be another than it looks"
    (plain,) = as_json([for_it])
    assert (plain["tests"][0]["selected"], plain["tests"][0]["missing"][0]["asked"]) == (True, 6)
    edited = [waiting("a", seed, kind="nan", created=1e9, plugins={"a": "edited"}) for seed in (0, 1)]
    (since,) = judged([claim()], values, unfinished=edited)
    assert since.tests[0].notes == ("a was planned since with other settings or sources, without a result yet: 2 failed: nan",)
    planned = one(claim(), "a", "planned")
    assert planned.verdict == "agrees" and planned.tests[0].notes == ("a has a result in 4 of 6 seeds (2 planned)",)
    trials = [result(name, 0, {"top1": 50.0}, cost=Cost(params=900 if name == "a" else 1000)) for name in "ab"]
    (row,) = judged([claim(metric="params")], trials=trials, unfinished=[waiting("a", 1)])
    assert row.verdict == "agrees", "parameters are the same in every trial"


def test_a_method_that_failed_in_all_seeds_was_run(judged, waiting):
    (row,) = judged([claim()], {"b": B}, unfinished=[waiting("a", seed, kind="nan") for seed in range(3)])
    assert (row.verdict, row.reason) == ("not measured", "a has a result in 0 of 3 seeds (3 failed: nan) on scenes")
