"""The regressions page's view: worst first, changes in what is allowed, and the versions of a metric."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.gate.outcome import Check, Entry
from harness.analysis.history import versions
from harness.analysis.views import regressions
from harness.store.records import MetricSpec


def entry(method, status, difference=None, *, metric="top1", higher=True, allowed=2.0, **changes):
    about = {"benchmark": "scenes", "version": 1, "unit": "%" if higher else "m", "baseline": 50.0, "tolerance": 1.0, "n": 3}
    current = None if difference is None else 50.0 + difference
    return Entry(
        **about | changes,
        method=method,
        metric=metric,
        higher_is_better=higher,
        current=current,
        difference=difference,
        status=status,
        allowed=allowed,
    )


CHECK = Check(
    [
        entry("a", "same", -0.5),
        entry("b", "worse", -3.0, primary=True),
        entry("c", "worse", 8.0, metric="error", higher=False),
        entry("d", "worse", -9.0, primary=True),
        entry("e", "better", 5.0),
        entry("f", "missing", benchmark="digits"),
        entry("g", "new", baseline=None, tolerance=None, allowed=None),
        entry("h", "worse", -6.0, allowed=None),
        entry("i", "same", 0.0, allowed=0.0),
    ],
    [],
)


def test_the_worst_stand_first_whatever_the_direction():
    found = regressions.lines(CHECK)
    assert [line.entry.method for line in found] == ["d", "b", "h", "c", "f", "e", "g", "a", "i"]
    assert {line.entry.method: line.share for line in found} == {
        "d": -4.5,
        "b": -1.5,
        "c": -4.0,
        "h": -6.0,
        "f": None,
        "e": 2.5,
        "g": None,
        "a": -0.25,
        "i": None,
    }
    first = found[0]
    assert (first.baseline, first.now, first.change, first.allowed) == ("50.0", "41.0", "-9.0", "2.0")
    assert [line.entry.method for line in regressions.changed(found)] == [*"hdcbae"], "losses first, without what has not changed"
    assert first.name == "scenes · d · top1"
    assert regressions.counts(CHECK) == {"worse": 4, "missing": 1, "better": 1, "new": 1, "same": 2}


@pytest.mark.parametrize(
    ("filters", "methods"),
    [
        ({"status": ["missing", "new"]}, "fg"),
        ({"benchmark": ["digits"]}, "f"),
        ({"method": ["a", "e"]}, "ea"),
        ({"primary": True}, "db"),
        ({"status": ["same"], "primary": True}, ""),
    ],
)
def test_filters(filters, methods):
    assert [line.entry.method for line in regressions.lines(CHECK, **filters)] == [*methods]


def test_steps_are_versions_and_say_where_the_mean_changed(result):
    spec = MetricSpec("scenes", 1, "top1", "%", True, "Top-1 accuracy", True)
    states = [("a", (80.0, 81.0, 82.0)), ("b", (80.5, 81.0, 81.5)), ("c", (60.0, 61.0, 62.0)), ("d", (60.5, 61.0, 62.0))]
    results = [
        replace(result("gap", seed, {"top1": value}), plugins={"gap": name}, version=2 if name == "d" else 1)
        for name, values in states
        for seed, value in enumerate(values)
    ]
    history = versions.build(results, spec, {"e1": {"git_sha": "1234567890"}}, {})
    found = regressions.steps(history)
    assert [(step.index, step.stretch, step.text) for step in found] == [(0, 0, "81.0"), (1, 0, "81.0"), (2, 0, "61.0"), (3, 1, "61.2")]
    assert [step.moved_text for step in found] == ["", "", "-20 worse", ""] and found[2].moved == pytest.approx(-20)
    assert [step.better for step in found] == [None, None, False, None]
    assert found[0].seeds == tuple((seed, value, results[seed].digest) for seed, value in enumerate((80.0, 81.0, 82.0)))
    assert found[3].changed.startswith("not comparable: version 2 of the benchmark") and found[1].changed == "source of gap"
    assert regressions.cells(found, "%")[2][3:7] == ["3", "61.0", "60.0 to 62.0", "-20 worse"]
