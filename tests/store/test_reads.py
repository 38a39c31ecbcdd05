"""Reading a part of the store: the same as reading all of it and leaving out the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_fakes import make_trial, outcome_of

from harness.outcome import Cost, Outcome
from harness.store import Floor, MetricSpec, Result, Store, TrialRow, open_store, process

PRIMARY = {("first", 1): "top1", ("second", 1): "miou", ("second", 2): "top1"}


def rich(number: int) -> Outcome:
    """Metrics of two kinds of benchmark with scenes, some of them no numbers, and many diagnostics."""
    draw = np.random.default_rng(number).random
    names = ["top1", "miou", "top1/room", "miou/room", "top5"]
    return Outcome(
        metrics=dict(zip(names, draw(5).tolist(), strict=True)) | ({"top5": float("nan")} if number % 2 else {}),
        diagnostics={f"entropy/layer{i}": float(draw()) for i in range(number % 3 * 40)},
        durations={"train": float(draw())},
        cost=Cost(params=number),
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path}/harness.db")
    lease = process.new_lease()
    places = [*PRIMARY]
    planned = [
        replace(make_trial(n, benchmark=places[n % 3][0], seed=n // 6), version=places[n % 3][1], method=f"m{n % 2}") for n in range(18)
    ]
    store.plan([*planned, make_trial(100, benchmark="second"), make_trial(101, benchmark="third")])
    for number, trial in enumerate(planned):
        store.claim([trial.digest], lease, tmp_path)
        store.finish(trial.digest, lease.token, rich(number))
    told = [(place, metric) for place in PRIMARY for metric in ("top1", "miou", "top5")]
    store.put_specs(MetricSpec(*place, metric, "%", True, primary=PRIMARY[place] == metric) for place, metric in told)
    return store


def left(result: Result, keep: Callable[[str], bool] = lambda name: True, kinds: str = "metric diagnostic duration cost") -> Result:
    """``result`` without what is not asked for."""
    return replace(
        result,
        metrics={name: value for name, value in result.metrics.items() if keep(name)} if "metric" in kinds else {},
        diagnostics=result.diagnostics if "diagnostic" in kinds else {},
        durations=result.durations if "duration" in kinds else {},
        cost=result.cost if "cost" in kinds else Cost(),
    )


def same(found: list[Result], expected: list[Result]) -> bool:
    """NaN is itself here."""
    return len(found) > 0 and str(found) == str(expected)


def test_metrics_are_read_by_name_rank_or_without_scenes(store: Store):
    everything = store.results()
    assert len(everything) == 18 and max(len(r.diagnostics) for r in everything) == 80
    assert same(store.results(metrics="whole"), [left(r, lambda name: "/" not in name) for r in everything])
    assert same(store.results(metrics=["miou", "top1/room"]), [left(r, lambda name: name in ("miou", "top1/room")) for r in everything])
    assert same(store.results(metrics="primary"), [left(r, lambda name, r=r: name == PRIMARY[r.benchmark, r.version]) for r in everything])


@pytest.mark.parametrize("kinds", [("metric", "diagnostic"), ("diagnostic", "cost"), ("metric",)])
@pytest.mark.parametrize("metrics", [None, "primary", ["top5"]])
def test_diagnostics_are_read_by_name(store: Store, kinds, metrics):
    every = store.results(kinds=kinds, metrics=metrics)
    names = {"entropy/layer3", "entropy/layer77", "none"}
    expected = [replace(r, diagnostics={name: value for name, value in r.diagnostics.items() if name in names}) for r in every]
    assert same(store.results(kinds=kinds, metrics=metrics, diagnostics=iter(names)), expected)
    assert same(store.results(kinds=kinds, metrics=metrics, diagnostics=[]), [replace(r, diagnostics={}) for r in every])


@pytest.mark.parametrize("kinds", [("metric",), ("diagnostic",), ("cost",), ("duration", "cost"), ("metric", "diagnostic"), ()])
def test_only_the_kinds_asked_for_are_read(store: Store, kinds):
    expected = [left(result, kinds=" ".join(kinds)) for result in store.results()]
    assert same(store.results(kinds=kinds), expected)
    by_name = [left(result, lambda name: name == "top5", " ".join(kinds)) for result in store.results()]
    assert same(store.results(kinds=kinds, metrics=["top5"]), by_name)


def test_filters_add_up(store: Store):
    everything = store.results()
    few = [r.digest for r in everything][::2]
    for filters, keep in (
        ({"benchmarks": ["second"], "methods": ["m1"]}, lambda r: r.benchmark == "second" and r.method == "m1"),
        ({"digests": few, "methods": ["m0"]}, lambda r: r.digest in few and r.method == "m0"),
        ({"families": ["classification"]}, lambda r: True),
    ):
        assert same(store.results(metrics="primary", **filters), [r for r in store.results(metrics="primary") if keep(r)])
    assert store.results(states=["failed"]) == store.results(benchmarks=[]) == []
    assert [row.digest for row in store.trials(states=["planned"])] == [row.digest for row in store.trials() if row.state == "planned"]


def test_pages_put_together_are_all_trials(store: Store):
    rows = store.trials()
    pages = [store.trials(page=(first, 7)) for first in range(0, 28, 7)]
    assert [row for page in pages for row in page] == rows and [len(page) for page in pages] == [7, 7, 6, 0]
    digests = [row.digest for row in rows][3:]
    assert store.trials(page=(2, 4), digests=digests) == rows[5:9]


def test_counts_are_those_of_the_rows(store: Store):
    assert store.counts() == {"first": {"done": 6}, "second": {"done": 12, "planned": 1}, "third": {"planned": 1}}
    assert store.counts(digests=[row.digest for row in store.trials(benchmarks=["second"])]) == {"second": {"done": 12, "planned": 1}}


def test_a_stamp_changes_with_what_is_read_and_only_then(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/harness.db"
    store, lease, trial = open_store(url), process.new_lease(), make_trial()
    spec, floor = MetricSpec("fake", 1, "metric-0", "%", True), Floor("fake", 1, "data-1", "metric-0", 1.0)
    seen = [store.stamp()]
    for change in (
        lambda: store.plan([trial]),
        lambda: store.plan([replace(trial, setting="abc", conditions={"a": 1})]),
        lambda: store.claim([trial.digest], lease, tmp_path),
        lambda: store.fail(trial.digest, lease.token, "error", "why"),
        lambda: store.plan([trial], retry_failed=True),
        lambda: store.claim([trial.digest], lease, tmp_path),
        lambda: store.finish(trial.digest, lease.token, outcome_of(trial)),
        lambda: store.put_specs([spec]),
        lambda: store.put_specs([replace(spec, title="said otherwise")]),
        lambda: store.put_floors([floor]),
    ):
        time.sleep(0.001)
        change()
        seen.append(open_store(url, read_only=True).stamp())
    assert len({*seen}) == len(seen)
    for nothing_new in (lambda: store.plan([trial]), lambda: store.renew(lease), lambda: store.put_floors([floor]), store.results):
        nothing_new()
        assert store.stamp() == seen[-1]


def test_names_are_stored_once_whoever_writes_them(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/harness.db"
    trials = [make_trial(n) for n in range(8)]
    open_store(url).plan(trials)
    children = []
    for some in (trials[::2], trials[1::2]):
        if not (child := os.fork()):
            code = 1
            try:
                store, lease = open_store(url), process.new_lease()
                for trial in some:
                    store.claim([trial.digest], lease, tmp_path)
                    assert store.finish(trial.digest, lease.token, outcome_of(trial))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    results = {result.digest: result for result in open_store(url).results()}
    assert {trial.digest: outcome_of(trial).metrics for trial in trials} == {digest: r.metrics for digest, r in results.items()}
    with open_store(url)._read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM names").scalar() == 7


def heard(row: TrialRow) -> float:
    """When something was last heard of a trial."""
    return row.finished or row.started or row.created


def test_the_latest_come_first_on_every_page(store: Store, tmp_path: Path):
    late = make_trial(200, benchmark="another")
    store.plan([late])
    assert store.trials(newest=True)[0].digest == late.digest
    rows = store.trials()
    expected = sorted(rows, key=lambda row: -heard(row))
    assert store.trials(newest=True) == expected != rows
    assert [row for first in range(0, 28, 7) for row in store.trials(newest=True, page=(first, 7))] == expected
    digests = [row.digest for row in rows][::2]
    assert store.trials(newest=True, digests=digests, page=(1, 3)) == [row for row in expected if row.digest in digests][1:4]


def test_words_are_looked_for_in_names_digests_and_reasons(store: Store, tmp_path: Path):
    lease = process.new_lease()
    failed = store.claim([row.digest for row in store.trials(states=["planned"])], lease, tmp_path)
    store.fail(failed, lease.token, "error", "CUDA: 100% of 8_GiB")
    rows = store.trials()
    for words in (["M1"], ["second", "m0"], ["100%"], ["8_g"], [rows[3].digest[2:9]], ["%"], ["_"], ["nothing"], []):
        told = [(row, f"{row.digest}\n{row.method}\n{row.benchmark}\n{row.reason or ''}".lower()) for row in rows]
        expected = [row for row, text in told if all(word.lower() in text for word in words)]
        assert store.trials(words=words) == expected
        assert sum(sum(some.values()) for some in store.counts(words=words).values()) == len(expected)
    assert [row.digest for row in store.trials(words=["100%"])] == [failed]


def test_lots_count_every_trial_once(store: Store, tmp_path: Path):
    lease = process.new_lease()
    failed = store.claim([row.digest for row in store.trials(states=["planned"])], lease, tmp_path)
    store.fail(failed, lease.token, "error", "why")
    store.plan([make_trial(300, benchmark="first")])
    rows, lots = store.trials(), store.lots()
    assert len(lots) == len({(row.created, row.benchmark, row.state) for row in rows}) == 5
    for lot in lots:
        some = [row for row in rows if (row.created, row.benchmark, row.state) == (lot.created, lot.benchmark, lot.state)]
        timed = [row for row in some if row.seconds is not None]
        assert lot.count == len(some) and lot.changed == max(heard(row) for row in some)
        assert lot.expected == pytest.approx(sum(row.expected for row in some))
        assert lot.timed == pytest.approx(sum(row.expected for row in timed)) and lot.seconds == pytest.approx(
            sum(r.seconds for r in timed)
        )
    assert sum(lot.count for lot in store.lots(benchmarks=["first"])) == len(store.trials(benchmarks=["first"]))
    assert store.methods() == sorted({row.method for row in rows})
