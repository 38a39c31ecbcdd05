"""A backup is of one moment, whole, and a database like any other."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from engine_fakes import expected, make_trial, outcome_of

from harness.errors import UsageError
from harness.store import Store, open_store, process, queue
from harness.store.backup import backup


def fill(store: Store, folder: Path, numbers: range) -> None:
    lease = process.new_lease()
    for number in numbers:
        trial = make_trial(number)
        store.plan([trial])
        store.claim([trial.digest], lease, folder)
        store.finish(trial.digest, lease.token, outcome_of(trial))


def test_a_backup_has_all_there_is(url: str, store: Store, tmp_path: Path):
    fill(store, tmp_path, range(3))
    running, lease = make_trial(9), process.new_lease()
    store.plan([running, make_trial(10)])
    store.claim([running.digest], lease, tmp_path)
    assert backup(url, tmp_path / "copy.db") == 5
    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    assert copy.results() == store.results() and len(copy.results()) == 3
    assert copy.states() == {**store.states(), running.digest: "planned"}
    assert store.states()[running.digest] == "running"
    store.release(running.digest, lease.token)
    for each, name in ((store, "a"), (copy, "b")):
        with each._write() as connection:  # but for when the trial was given back
            connection.execute(queue.trials.update().where(queue.trials.c.digest == running.digest).values(finished=None))
        each.export_to(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_backups_while_a_run_writes_are_whole(url: str, store: Store, tmp_path: Path):
    fill(store, tmp_path, range(5))
    writer = threading.Thread(target=fill, args=(open_store(url), tmp_path, range(5, 40)))
    writer.start()
    counts = []
    while writer.is_alive():
        before, number = len(store.results()), len(counts)
        backup(url, tmp_path / f"{number}.db")
        after = len(store.results())
        with sqlite3.connect(tmp_path / f"{number}.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        results = open_store(f"sqlite:///{tmp_path}/{number}.db", read_only=True).results()
        assert before <= len(results) <= after
        for result in results:
            assert dict(result.metrics) == expected(make_trial(int(result.method.removeprefix("method-"))))
        counts.append(len(results))
    writer.join()
    assert len({*counts}) > 1 and len(store.results()) == 40


@pytest.mark.parametrize("name", ["copy.db", "copy.db-wal"])
def test_a_backup_replaces_nothing_and_leaves_nothing_half(url: str, store: Store, tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match=rf"{name} is there already"):
        backup(url, tmp_path / "copy.db")
    assert (tmp_path / name).read_bytes() == b"mine"
    with pytest.raises(UsageError, match=r"cannot write .*No such file or directory"):
        backup(url, tmp_path / "nowhere" / "copy.db")
    assert not list(tmp_path.glob(".*"))


def test_what_is_not_there_cannot_be_backed_up(tmp_path: Path):
    with pytest.raises(UsageError, match="no database at"):
        backup(f"sqlite:///{tmp_path}/none.db", tmp_path / "copy.db")
    assert not list(tmp_path.iterdir())
