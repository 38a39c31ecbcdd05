"""The regression check: every verdict, every direction, and what may have changed a number."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from harness.analysis.gate import regression
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


def test_a_trial_that_does_not_say_where_it_ran_is_not_the_same(measure):
    outcome = regression.check(saved(measure(METHODS)), (now := measure(METHODS)).board, now.trials)
    assert {entry.source for entry in outcome.entries} == {"machine"} and outcome.verdict == "passed"


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
    assert (
        one(check(saved(measure(METHODS)), measure({name: some[:3] for name, some in METHODS.items()} | {"gap": [(20.0, 1.0)] * 3}))).status
        == "worse"
    )


def test_failed_trials_count_until_they_are_done(measure, trial_row):
    baseline, now = saved(measure(METHODS)), measure(METHODS)
    assert check(baseline, now, [trial_row(seed=5)]).exit_code == 3
    assert check(baseline, now, [trial_row(seed=0)]).exit_code == 0, "measured meanwhile"
    assert check(baseline, now, [trial_row("other", seed=5)]).exit_code == 0, "not in the baseline"
    assert check(baseline, measure({}), [trial_row(seed=5)]).exit_code == 3
    for state in ("planned", "running", "done"):
        assert check(baseline, now, [trial_row(seed=5, state=state)]).exit_code == 0
    assert check(baseline, measure(METHODS | {"gap": values(drop=70)}), [trial_row(seed=5)]).exit_code == 1, "a regression weighs more"


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
    document = regression.as_json(check(saved(measure(METHODS)), measure(METHODS)))
    assert list(document) == ["verdict", "exit_code", "entries", "failed"]
    assert {entry["status"] for entry in document["entries"]} == {"ok"}
    json.dumps(document, allow_nan=False)
