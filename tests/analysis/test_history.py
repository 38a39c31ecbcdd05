"""Versions of the code: what is one, what changed between two, and what may be held against each other."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from harness.analysis.history.versions import as_json, build, sparkline
from harness.analysis.views.regressions import cells, steps
from harness.store.records import MetricSpec

TOP1 = MetricSpec("scenes", 1, "top1", "%", True, "Top-1 accuracy", True)
SETTINGS = {
    "s": {"data": {"size": 48}, "dataset": "d1", "evaluator": {"topk": 1}, "numerics": 4, "model": {}, "schedule": {"lr": 0.1}},
    "lr": {"data": {"size": 48}, "dataset": "d1", "evaluator": {"topk": 1}, "numerics": 4, "model": {}, "schedule": {"lr": 0.2}},
    "data": {"data": {"size": 64}, "dataset": "d2", "evaluator": {"topk": 1}, "numerics": 4, "model": {}, "schedule": {"lr": 0.2}},
}
ENVIRONMENTS = {
    "e1": {"device": "cpu", "git_sha": "1234567890abcdef", "git_dirty": False},
    "e2": {"device": "cpu", "git_sha": "fedcba0987654321", "git_dirty": True},
}


@pytest.fixture
def versions(result):
    """Trials of several versions: ``versions(({"plugins": {"gap": "a"}}, (80, 81, 82)), ...)``."""

    def make(*states):
        found = []
        for changes, values in states:
            found += [replace(result("gap", seed, {"top1": value}), **({"setting": "s"} | changes)) for seed, value in enumerate(values)]
        return found

    return make


def test_versions_are_in_the_order_of_time_and_say_what_changed(versions):
    found = build(
        versions(
            ({"plugins": {"gap": "a"}}, (80.0, 81.0, 82.0)),
            ({"plugins": {"gap": "b"}, "environment_digest": "e2"}, (80.5, 81.0, 81.5)),
            ({"plugins": {"gap": "b"}, "setting": "lr"}, (70.0, 71.0, 72.0)),
            ({"plugins": {"gap": "b"}, "setting": "lr", "config_digest": "edited"}, (70.0, 71.5, 72.0)),
            ({"plugins": {"gap": "b"}, "setting": "data", "dataset": "d2"}, (20.0, 21.0, 22.0)),
        ),
        TOP1,
        ENVIRONMENTS,
        SETTINGS,
    )
    assert [version.changed.split(" ")[0] for version in found.versions] == ["", "source", "schedule.lr", "the", "data.size"]
    assert found.versions[1].changed == "source of gap" and found.versions[1].revisions == ("fedcba09+",)
    assert [version.comparable for version in found.versions] == [False, True, True, True, False]
    assert [(change.at, found.better(change)) for change in found.changes] == [(2, False)], "not at 4, which is another task"
    assert len({version.name for version in found.versions}) == 5 and found.sparkline() == "██▇▇▁"
    json.dumps(as_json(found), allow_nan=False)


def test_without_a_number_or_tuned_there_is_no_version(versions):
    found = build(versions(({}, (math.nan, math.nan)), ({"tuning": "t", "setting": "lr"}, (80.0, 81.0))), TOP1, ENVIRONMENTS, SETTINGS)
    assert (found.versions, found.changes, found.left_out) == ([], [], 4)


def test_seeds_without_a_number_are_counted(versions, waiting):
    trials = versions(({}, (6.0, math.nan, 7.0)), ({"plugins": {"gap": "b"}}, (6.0, 7.0)))
    failed = [waiting("gap", 3, setting="s", kind="nan")]
    found = build(trials, TOP1, ENVIRONMENTS, SETTINGS, failed)
    assert [(version.seeds, version.not_numbers, version.asked) for version in found.versions] == [((0, 2), (1,), 4), ((0, 1), (), 2)]
    assert [step.n for step in steps(found)] == ["2/4", "2"] and found.left_out == 0
    assert found.notes[1] == f"version {found.versions[0].name}: gap has no number in seed 1, and those that have one are a selection."
    assert found.notes[0].startswith(f"version {found.versions[0].name}: gap has a result in 3 of 4 seeds") and len(found.notes) == 2
    assert json.loads(json.dumps(as_json(found)))["rows"][0]["not_numbers"] == [1]


def test_an_error_that_grows_is_worse(versions):
    trials = versions(({"plugins": {"gap": "a"}}, (1.0, 1.1, 1.2)), ({"plugins": {"gap": "b"}}, (5.0, 5.1, 5.2)))
    found = build(trials, replace(TOP1, higher_is_better=False), {}, SETTINGS)
    assert [found.better(change) for change in found.changes] == [False]


def test_experiments_are_no_versions(versions):
    trials = versions(
        ({}, (80.0, 81.0)), ({"overrides": ("method.gamma=2",), "config_digest": "x"}, (10.0, 11.0)), ({"setting": "lr"}, (float("nan"),))
    )
    found = build(trials, TOP1, {}, SETTINGS)
    assert (len(found.versions), found.left_out) == (1, 3)


def test_sparkline():
    assert sparkline([0, 1, 2, 7]) == "▁▂▃█" and sparkline([3, 3]) == "▄▄" and sparkline([]) == ""


def test_versions_say_which_seeds_they_lack(versions, waiting):
    old, new = {"plugins": {"gap": "a"}}, {"plugins": {"gap": "b"}}
    failed = [
        waiting("gap", 2, setting="s", kind="nan", **old),
        waiting("gap", 0, setting="s", digest="n0", created=2.0, kind="nan", **new),
    ]
    failed += [
        waiting("gap", 1, "planned", setting="s", digest="n1", created=2.0, **new),
        waiting("gap", 0, setting="s", digest="x", overrides=("method.gamma=2",), **old),
    ]
    found = build(versions((old, (80.0, 81.0)), ({"plugins": {"gap": "c"}}, (80.0, 81.0))), TOP1, ENVIRONMENTS, SETTINGS, failed)
    assert [lacks and lacks.told for lacks in (version.missing for version in found.versions)] == ["1 failed: nan", None]
    assert [step.n for step in steps(found)] == ["2/3", "2"] and cells(steps(found), "%")[0][3] == "2/3"
    assert found.notes == [
        f"version {found.versions[0].name}: gap has a result in 2 of 3 seeds (1 failed: nan), and those that did not fail are a selection.",
        "of a version planned 1970-01-01 00:00 UTC, gap has a result in 0 of 2 seeds (1 failed: nan; 1 planned).",
    ]
    document = json.loads(json.dumps(as_json(found)))
    assert [row["missing"] and row["missing"]["asked"] for row in document["rows"]] == [3, None]
    assert [lacks["states"] for lacks in document["without"]] == [{"failed": 1, "planned": 1}]
