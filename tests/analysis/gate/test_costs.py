"""Costs: counted ones are tight, times are loose, and only the same kind of device counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.gate import regression
from harness.analysis.gate.costs import COUNTED, TIMED, judge, more
from harness.analysis.gate.saving import expect
from harness.outcome import Cost

ENVIRONMENTS = {
    "here": {"cpu": "one", "device": "cpu", "packages": {"torch": "2"}},
    "newer": {"cpu": "one", "device": "cpu", "packages": {"torch": "3"}},
    "there": {"cpu": "another", "device": "cpu", "packages": {"torch": "2"}},
}
METHODS = {name: [(80.0, 1.0), (81.0, 1.1), (82.0, 0.9)] for name in ("gap", "gem", "max", "lse", "how", "otk")}


def priced(measured, change=lambda method, cost: cost):
    """Times of 10 ms that spread by 5 %, and what ``change`` makes of them."""
    for index, (digest, result) in enumerate(measured.results.items()):
        cost = Cost(params=1000, flops=2e6, latency_ms=10 * (0.95, 1.0, 1.05)[index % 3], peak_memory_mb=100.0, train_memory_mb=200.0)
        measured.results[digest] = replace(result, cost=change(result.method, cost))
    return measured


def outcome(measure, change=lambda method, cost: cost, on="here"):
    before, now = priced(measure(METHODS)), priced(measure(METHODS, on=on), change)
    baseline, _ = expect(before.board, before.results, ENVIRONMENTS)
    return regression.check(baseline, now.board, now.trials, ENVIRONMENTS, now.results)


def gem(**changes):
    return lambda method, cost: replace(cost, **{k: v(getattr(cost, k)) for k, v in changes.items()}) if method == "gem" else cost


@pytest.mark.parametrize(
    ("change", "worse"),
    [
        (gem(), []),
        (gem(params=lambda v: v * 1.03), ["params"]),
        (gem(peak_memory_mb=lambda v: v * 1.03, train_memory_mb=lambda v: v * 1.01), ["peak_memory_mb"]),
        (gem(latency_ms=lambda v: v * 1.4), []),
        (gem(latency_ms=lambda v: v * 1.7), ["latency_ms"]),
        (gem(latency_ms=lambda v: v / 2, flops=lambda v: v / 2), []),
    ],
)
def test_one_method_that_costs_more_is_found(measure, change, worse):
    found = outcome(measure, change)
    assert [(entry.method, entry.cost) for entry in more(found.costs)] == [("gem", cost) for cost in worse]
    assert found.exit_code == bool(worse) and (not worse or "1 cost more" in found.summary())


def test_a_busy_machine_is_no_regression(measure):
    found = outcome(measure, lambda method, cost: replace(cost, latency_ms=cost.latency_ms * (6 if method == "gem" else 3)))
    assert [(entry.method, pytest.approx(2.0)) for entry in more(found.costs)] == [("gem", more(found.costs)[0].ratio)]
    assert any("3.00 times" in note for note in found.notes)


def test_where_most_became_faster_the_others_did_not_become_slower(measure):
    found = outcome(measure, lambda method, cost: cost if method == "gem" else replace(cost, latency_ms=cost.latency_ms / 2))
    assert more(found.costs) == [] and found.exit_code == 0
    assert not any("times those of the baseline" in note for note in found.notes)  # nothing was divided


def test_of_few_times_it_is_said_that_a_busy_machine_looks_the_same(measure):
    alone = {"gem": METHODS["gem"]}
    before, now = priced(measure(alone)), priced(measure(alone), gem(latency_ms=lambda v: v * 3))
    baseline, _ = expect(before.board, before.results, ENVIRONMENTS)
    found = regression.check(baseline, now.board, now.trials, ENVIRONMENTS, now.results)
    assert [entry.cost for entry in more(found.costs)] == ["latency_ms"] and any("busy machine" in note for note in found.notes)


def test_only_the_same_kind_of_device_counts(measure):
    slow = gem(latency_ms=lambda v: v * 9, peak_memory_mb=lambda v: v * 9, params=lambda v: v * 9)
    assert {entry.cost for entry in more(outcome(measure, slow, on="newer").costs)} == {"latency_ms", "peak_memory_mb", "params"}
    elsewhere = outcome(measure, slow, on="there")
    assert {entry.cost for entry in more(elsewhere.costs)} == {"params"} and any(
        "another kind of device" in note for note in elsewhere.notes
    )


def test_the_costs_of_the_row_that_is_judged_count(measure):
    """A run on another device with more seeds stands first on the board; what is held against the baseline is the one on its own."""
    environments = ENVIRONMENTS | {"gpu": {"cpu": "one", "device": "cuda:0", "gpu": "some", "packages": {"torch": "2"}}}
    before, gpu = priced(measure(METHODS, environments=environments)), priced(measure(METHODS, code="gpu"))
    baseline, _ = expect(before.board, before.results, environments)
    elsewhere = [replace(result, environment_digest="gpu") for result in gpu.results.values()]
    elsewhere += [replace(result, seed=9, digest=f"{result.digest}-9") for result in elsewhere]
    both = priced(measure(METHODS, beside=elsewhere, environments=environments), gem(params=lambda v: v * 9))
    found = regression.check(baseline, both.board, both.trials, environments, both.results)
    assert {row.setting.device for row in both.board.rows} == {"cpu", "cuda"}
    assert [(entry.method, entry.cost) for entry in more(found.costs)] == [("gem", "params")]


def test_costs_of_a_method_that_is_not_comparable_are_not_judged(measure):
    before = priced(measure(METHODS))
    baseline, _ = expect(before.board, before.results, ENVIRONMENTS)
    now = priced(measure(METHODS, code="new", overrides=("method.p=5",)), gem(params=lambda v: v * 9))
    found = regression.check(baseline, now.board, now.trials, ENVIRONMENTS, now.results)
    assert {entry.status for entry in found.entries} == {"incomparable"} and not found.costs
    assert any("no entry that has some can be compared" in note for note in found.notes), "not that the baseline has none"


def test_without_being_asked_costs_are_not_judged(measure):
    before, now = priced(measure(METHODS)), priced(measure(METHODS), gem(params=lambda v: v * 9))
    baseline, _ = expect(before.board, before.results, ENVIRONMENTS)
    assert regression.check(baseline, now.board, now.trials, ENVIRONMENTS).exit_code == 0


def test_a_time_that_spreads_has_a_wider_limit():
    steady, wild = (1.0, 1.02, 0.98), (1.0, 3.0, 0.3)
    cells = {
        ("b", 1, str(i)): ({"latency_ms": wild if i == 0 else steady, "params": (5.0,)}, {"latency_ms": steady, "params": (5.0,)}, True)
        for i in range(4)
    }
    entries, common = judge(cells)
    limits = {(entry.method, entry.cost): entry.allowed for entry in entries}
    assert limits["0", "latency_ms"] > 3 and limits["1", "latency_ms"] == TIMED and limits["1", "params"] == COUNTED and common == 1.0
