"""The regression check: every verdict, every direction, and what may have changed a number."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from harness.analysis.gate import here, regression, reports
from harness.analysis.gate.file import Baseline
from harness.analysis.gate.saving import expect
from harness.errors import UsageError

TOP1 = (80.0, 81.0, 82.0, 81.0)
ERROR = (1.0, 1.01, 0.99, 1.0)


def values(top1=TOP1, error=ERROR, *, drop=0.0, longer=0.0):
    return [(t - drop, e + longer) for t, e in zip(top1, error, strict=False)]


METHODS = {"gap": values(), "gem": values((90.0, 91.0, 89.5, 90.5)), "max": values((60.0, 61.0, 62.0, 60.5))}


ENVIRONMENTS = {
    name: {"cpu": name, "cpu_isa": "avx2", "device": "cpu", "machine": "x86_64", "packages": {"torch": "2"}} for name in ("here", "there")
}


def saved(measured, **options) -> Baseline:
    baseline, unfailing = expect(measured.board, measured.results, ENVIRONMENTS, **options)
    assert not unfailing
    return baseline


def check(baseline, measured, trials=()):
    return regression.check(baseline, measured.board, [*measured.trials, *trials], ENVIRONMENTS)


def one(outcome, method="gap", metric="top1"):
    (found,) = [entry for entry in outcome.entries if (entry.method, entry.metric) == (method, metric)]
    return found


@pytest.mark.parametrize("on", ["here", "there"])
@pytest.mark.parametrize("code", ["old", "new"])
def test_equal_numbers_are_the_same_wherever_they_come_from(measure, code, on):
    outcome = check(saved(measure(METHODS)), measure(METHODS, code=code, on=on))
    assert outcome.verdict == "passed" and {entry.status for entry in outcome.entries} == {"same"}
    assert {entry.source for entry in outcome.entries} == {"code" if code == "new" else "repeated" if on == "here" else "machine"}


def test_the_same_trials_on_the_same_machine_may_fall_by_the_tolerance_alone(measure):
    baseline = saved(measure(METHODS), tolerances={"top1": 2.0})
    fallen = one(check(baseline, measure(METHODS | {"gap": values(drop=2.1)})))
    assert (fallen.status, fallen.allowed, fallen.difference) == (
        "worse",
        2.0,
        pytest.approx(-2.1),
    ) and "digest does not see" in fallen.reason
    less = one(check(baseline, measure(METHODS | {"gap": values(drop=1.9)})))
    assert less.status == "same" and "digest does not see" in less.reason
    assert one(check(baseline, measure(METHODS | {"gap": values(drop=-2.1)}))).status == "better"


@pytest.mark.parametrize(("code", "on"), [("new", "here"), ("old", "there")], ids=["code", "machine"])
def test_other_code_or_another_machine_may_fall_by_noise(measure, code, on):
    """The critical drop is where Student's t of the moderated variance puts it; found here by bisection on the verdict."""
    baseline = saved(measure(METHODS), tolerances={"top1": 0.1})
    now = {"code": code, "on": on}
    allowed = one(check(baseline, measure(METHODS | {"gap": values(drop=1.0)}, **now))).allowed
    assert 1.0 < allowed < 20.0
    assert one(check(baseline, measure(METHODS | {"gap": values(drop=allowed - 0.01)}, **now))).status == "same"
    assert one(check(baseline, measure(METHODS | {"gap": values(drop=allowed + 0.01)}, **now))).status == "worse"
    assert one(check(baseline, measure(METHODS | {"gap": values(drop=-allowed - 0.01)}, **now))).status == "better"
    fallen = one(check(baseline, measure(METHODS | {"gap": values(longer=0.5)}, **now)), metric="error")
    assert fallen.status == "worse" and fallen.difference == pytest.approx(0.5)
    assert one(check(baseline, measure(METHODS | {"gap": values(longer=-0.5)}, **now)), metric="error").status == "better"


def test_another_machine_may_change_less_than_other_code(measure):
    baseline = saved(measure(METHODS), tolerances={"top1": 0.1})
    code, machine = (one(check(baseline, measure(METHODS, **now))).allowed for now in ({"code": "new"}, {"on": "there"}))
    assert machine == pytest.approx(0.6 * code, rel=1e-6)


def test_fewer_changed_methods_share_the_chance_of_a_false_alarm(measure):
    baseline, changed = saved(measure(METHODS)), measure({"gap": METHODS["gap"]}, code="new")
    others = measure({name: METHODS[name] for name in ("gem", "max")})
    some = regression.check(
        baseline, replace(others.board, rows=[*others.board.rows, *changed.board.rows]), [*others.trials, *changed.trials], ENVIRONMENTS
    )
    everything = check(baseline, measure(METHODS, code="new"))
    assert one(some).allowed < one(everything).allowed and one(some, "gem").source == "repeated"


def test_a_method_that_breaks_on_one_seed_does_not_widen_its_own_limit(measure):
    before, broken = saved(measure(METHODS)), measure(METHODS | {"gap": [*values()[:3], (20.0, 1.0)]}, code="new")
    assert one(check(before, broken)).status == "worse"
    assert one(check(before, broken)).allowed == one(check(before, measure(METHODS, code="new"))).allowed


def test_another_machine_is_named(measure):
    outcome = check(saved(measure(METHODS)), measure(METHODS, on="there"))
    assert any("another machine" in note and "(there)" in note for note in outcome.notes)
    assert not check(saved(measure(METHODS)), measure(METHODS)).notes


def test_the_machine_that_differs_is_named_where_only_some_seeds_ran_there(measure):
    now = measure(METHODS)
    there = [replace(trial, environment_digest="there") if trial.seed else trial for trial in now.trials]
    (note,) = regression.check(saved(measure(METHODS)), now.board, there, ENVIRONMENTS).notes
    assert "(there)" in note and "another device" not in note


def test_a_trial_that_does_not_say_where_it_ran_is_not_the_same(measure):
    outcome = regression.check(saved(measure(METHODS)), (now := measure(METHODS)).board, now.trials)
    assert {entry.source for entry in outcome.entries} == {"machine"} and outcome.verdict == "passed"


@pytest.mark.parametrize("code", ["old", "new"])
def test_one_seed_that_is_left_and_equal_hides_no_others_that_fell(measure, code):
    before = measure(METHODS)
    baseline = saved(before)
    others = [result for result in before.results.values() if result.method == "gap"][1:]
    fell = [replace(result, seed=9 + result.seed, digest=f"new-{result.seed}", metrics={"top1": 10.0, "error": 1.0}) for result in others]
    now = measure(METHODS | {"gap": values()[:1]}, code=code, beside=fell)
    entry = one(check(baseline, now))
    assert (entry.status, entry.current, entry.shared) == ("worse", pytest.approx((80 + 30) / 4), None)


def test_not_a_number(measure):
    absent = [(math.nan, error) for _, error in values()]
    before, unfailing = expect(measure(METHODS | {"gap": absent}).board)
    assert [(some.entry.method, some.entry.metric) for some in unfailing] == [("gap", "top1")]
    assert ("scenes", 1, "gap", "top1") in before.left_out
    assert not any(entry.status == "new" for entry in check(before, measure(METHODS)).entries), "left out, not new"
    fallen = one(check(saved(measure(METHODS)), measure(METHODS | {"gap": absent}, code="new")))
    assert (fallen.status, fallen.reason, fallen.current) == ("worse", "not a number any more", None)


def test_what_only_one_side_has_is_listed(measure):
    outcome = check(saved(measure(METHODS)), measure({"gap": METHODS["gap"], "lse": METHODS["gem"]}))
    assert outcome.exit_code == 3 and {entry.method for entry in outcome.of("missing")} == {"gem", "max"}
    assert {(entry.method, entry.baseline, entry.allowed, entry.n) for entry in outcome.of("new")} == {("lse", None, None, 4)}
    without_value = measure({"lse": [(math.nan, 1.0)] * 3})
    assert [entry.metric for entry in check(saved(measure(METHODS)), without_value).of("new")] == ["error"]
    elsewhere = [replace(row, benchmark="digits") for row in measure(METHODS).board.rows]
    board = replace(without_value.board, rows=[*without_value.board.rows, *elsewhere])
    assert len(regression.check(saved(measure(METHODS)), board).of("new")) == 1, "digits is no benchmark of the baseline"


def test_an_empty_comparison_never_passes(measure):
    nothing = measure({})
    assert check(Baseline([]), measure(METHODS)).exit_code == 4
    assert check(saved(measure(METHODS)), nothing).exit_code == 4
    assert check(Baseline([]), nothing).exit_code == 4
    other = [replace(entry, version=7) for entry in saved(measure(METHODS)).entries]
    assert check(Baseline(other), measure(METHODS)).exit_code == 4


def test_a_check_may_have_fewer_seeds_than_the_baseline_only_as_agreed(measure):
    fewer = measure({name: some[:3] for name, some in METHODS.items()})
    outcome = check(saved(measure(METHODS)), fewer)
    assert outcome.exit_code == 3 and one(outcome).reason == "3 of 4 seeds"
    agreed = check(saved(measure(METHODS), seeds=3), fewer)
    assert agreed.verdict == "passed" and one(agreed).difference == 0.0, "seed by seed, though the means differ"
    gem = one(agreed, "gem")
    assert (gem.baseline, gem.current, gem.shared) == (pytest.approx(270.5 / 3), pytest.approx(270.5 / 3), 3), "over the seeds of both"
    for now in ({}, {"on": "there"}, {"code": "new"}):
        gem = one(check(saved(measure(METHODS), seeds=3), measure({"gem": values((90.0, 91.0, 88.0))}, **now)), "gem")
        assert gem.difference == pytest.approx(gem.current - gem.baseline) and gem.shared == (None if "code" in now else 3)
    assert (
        one(check(saved(measure(METHODS)), measure({name: some[:3] for name, some in METHODS.items()} | {"gap": [(20.0, 1.0)] * 3}))).status
        == "worse"
    )


@pytest.fixture
def failed(trial_row):
    """Makes a trial without a result, of the sources that ``measure`` runs."""

    def make(method="gap", seed=5, **changes):
        return trial_row(method, seed, **({"config_digest": f"config-{method}", "plugins": {method: "source"}} | changes))

    return make


def test_failed_trials_count_until_they_are_done(measure, failed):
    baseline = saved(measure(METHODS))

    def now(trial, methods=METHODS):
        return check(baseline, measure(methods, unfinished=[trial])).exit_code

    assert now(failed()) == 3 and now(failed(), {}) == 3
    assert now(failed(seed=0)) == 0, "measured meanwhile"
    assert now(failed("other")) == 0, "not in the baseline"
    for state in ("planned", "running"):
        assert now(failed(state=state)) == 0
    assert now(failed(plugins={"gap": "older"})) == 0, "what ran since is done"
    assert now(failed(overrides=("method.eps=1",), config_digest="other", created=1e9)) == 0, "another question"
    assert now(failed(), METHODS | {"gap": values(drop=70)}) == 1, "a regression weighs more"
    there = replace(measure(METHODS).trials[0], digest="gap-5", log="/elsewhere/log.txt")
    assert check(baseline, measure(METHODS, unfinished=[failed()]), [there]).failed[0].log == "/elsewhere/log.txt"


TUNED = {"data": {}, "numerics": 1, "tuning": {"trials": 4, "seeds": 1}}
SETTINGS = {"s1": {"data": {}, "numerics": 1}, "s2": {"data": {"size": 2}, "numerics": 1}, "tuned": TUNED}


def test_the_same_seed_of_another_setting_hides_no_failure(measure, failed, result):
    baseline = saved(measure(METHODS, setting="s1", settings=SETTINGS))
    tuned = [result("gap", seed, {"top1": 80.0, "error": 1.0}, setting="tuned", environment_digest="here") for seed in range(6)]
    now = measure(METHODS, setting="s1", settings=SETTINGS, beside=tuned, unfinished=[failed(setting="s1")])
    assert (outcome := check(baseline, now)).exit_code == 3 and [trial.seed for trial in outcome.failed] == [5]
    # a failure of the tuned ones is none of the baseline's
    assert (
        check(baseline, measure(METHODS, setting="s1", settings=SETTINGS, unfinished=[failed(setting="tuned", created=1e9)])).exit_code == 0
    )


@pytest.mark.parametrize("changes", [{"setting": "s1", "plugins": {"gap": "edited"}}, {"setting": "s2"}], ids=["sources", "setting"])
@pytest.mark.parametrize("state", ["failed", "planned"])
def test_what_was_planned_since_and_has_no_result_is_missing(measure, failed, state, changes):
    """The results of earlier sources are there, and they are as they were."""
    baseline = saved(measure(METHODS, setting="s1", settings=SETTINGS))
    newer = [failed(seed=seed, state=state, created=1e9, **changes) for seed in range(4)]
    outcome = check(baseline, measure(METHODS, setting="s1", settings=SETTINGS, unfinished=newer))
    assert outcome.exit_code == 3 and len(outcome.failed) == (4 if state == "failed" else 0)
    for metric in ("top1", "error"):
        entry = one(outcome, metric=metric)
        assert (entry.status, entry.current, entry.n) == ("missing", None, 0) and f"without a result yet: 4 {state}" in entry.reason
    assert one(outcome, "gem").status == "same"
    before = [replace(trial, created=1.0) for trial in newer]
    assert check(baseline, measure(METHODS, setting="s1", settings=SETTINGS, unfinished=before)).exit_code == 0


@pytest.mark.parametrize("top1", [20.0, 80.0])
def test_what_ran_last_with_other_sources_than_those_here_is_not_judged(measure, result, top1):
    """Sources were put back: nothing is run again, and neither the fall nor the rise of the others is theirs."""
    about = {"plugins": {"gap": "edited"}, "finished": 1e6, "environment_digest": "here"}
    beside = [result("gap", seed, {"top1": top1, "error": 1.0}, **about) for seed in range(4)]
    now = measure(METHODS, beside=beside)
    shown = {digest for row in now.board.rows for digest in row.digests}

    def elsewhere(*sources):
        return here.elsewhere(now.results.values(), shown, lambda some: some == sources)

    other = elsewhere(("gap", "source"))
    assert other == {result.digest for result in beside}
    outcome = regression.check(saved(measure(METHODS)), now.board, now.trials, ENVIRONMENTS, elsewhere=other)
    assert outcome.exit_code == 3 and one(outcome).status == "incomparable" and "other sources than those here" in one(outcome).reason
    assert not elsewhere(("gap", "edited")), "they are what is here"
    assert not elsewhere(("gap", "third")), "nothing was run of what is here"
    assert not here.elsewhere(now.results.values(), shown), "no such code is here"


def test_another_direction_is_refused(measure):
    turned = [replace(entry, higher_is_better=None) for entry in saved(measure(METHODS)).entries]
    with pytest.raises(UsageError, match="higher_is_better"):
        check(Baseline(turned), measure(METHODS))


def old(baseline, **changes) -> Baseline:
    """As a file of schema 2 has it."""
    bare = {"values": (), "seeds": (), "digests": (), "machines": (), "floor": None}
    return Baseline([replace(entry, **bare, **changes) for entry in baseline.entries])


def test_a_baseline_of_means_is_judged_by_its_tolerances(measure):
    baseline = old(saved(measure(METHODS)), tolerance=3.0)
    assert one(check(baseline, measure(METHODS | {"gap": values(drop=3.1)}, code="new"))).status == "worse"
    assert one(check(baseline, measure(METHODS | {"gap": values(drop=2.9)}, code="new"))).status == "same"


def test_a_tolerance_that_reaches_the_floor_is_told(measure):
    baseline = old(saved(measure(METHODS)), tolerance=70.0)
    outcome = check(baseline, measure(METHODS))
    # errors of 1 m are 1 m below the floor of 2, and top1 of 81, 90.25 and 60.9 are 68.5, 77.75 and 48.4 above that of 12.5
    assert [note for note in outcome.notes if note.startswith("5 entries of the baseline cannot fail")]
    assert not [note for note in check(old(saved(measure(METHODS)), tolerance=0.5), measure(METHODS)).notes if "cannot fail" in note]


def test_json_has_the_documented_keys(measure):
    document = reports.as_json(check(saved(measure(METHODS)), measure(METHODS)))
    assert list(document) == ["verdict", "exit_code", "entries", "failed"]
    assert {entry["status"] for entry in document["entries"]} == {"ok"}
    json.dumps(document, allow_nan=False)
