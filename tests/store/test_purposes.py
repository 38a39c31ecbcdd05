"""Trials that only help to choose options are kept like others, and read only when they are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine_fakes import make_trial, outcome_of

from harness.digests import digest_of
from harness.store import Store, open_store, process


def done(store: Store, trial, folder: Path, **changes) -> None:
    lease = process.new_lease()
    store.plan([trial])
    assert store.claim([trial.digest], lease, folder) == trial.digest
    assert store.finish(trial.digest, lease.token, replace(outcome_of(trial), **changes))


def tuned(trial, search: dict):
    return replace(trial, tuning=digest_of(search), search=search)


def test_they_are_read_when_asked_for_and_travel_with_the_others(tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/first.db")
    helper, final = replace(make_trial(1, seed=1000), purpose="tuning"), tuned(make_trial(2), {"winner": 1, "points": [{"values": {}}]})
    done(store, helper, tmp_path, metrics={})
    done(store, final, tmp_path)
    store.export_to(tmp_path / "a.jsonl")
    other = open_store(f"sqlite:///{tmp_path}/second.db")
    assert other.import_from(tmp_path / "a.jsonl").trials == 2
    for some in (store, other):
        assert [result.digest for result in some.results()] == [final.digest]
        assert some.results(digests=[helper.digest]) == [] and some.results(purposes=["tuning"], methods=["method-2"]) == []
        (result,) = some.results(purposes=["tuning"])
        assert (result.digest, result.purpose, dict(result.metrics), result.tuning) == (helper.digest, "tuning", {}, "")
        assert {row.digest: row.purpose for row in some.trials()} == {helper.digest: "tuning", final.digest: ""}
        assert some.config(some.trial(final.digest).tuning) == final.search
        assert some.curves([helper.digest])[helper.digest].keys() == outcome_of(helper).curves.keys()


def test_a_final_trial_is_known_by_what_was_tried_last(tmp_path: Path):
    """A point that failed once may be mended, and the winner be the same."""
    store = open_store(f"sqlite:///{tmp_path}/first.db")
    done(store, tuned(make_trial(1), {"points": [None, 2]}), tmp_path)
    store.plan([tuned(make_trial(1), {"points": [1, 2]})])
    (row,) = store.trials()
    assert row.state == "done" and store.config(row.tuning) == {"points": [1, 2]}
