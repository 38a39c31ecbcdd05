"""What is read is of one moment, though trials end between its queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from engine_fakes import expected, make_trial, outcome_of

from harness.compose import Trial
from harness.store import MetricSpec, Store, open_store, process


class Writer:
    """Ends a trial, of a setting and with a metric of its own, before each query of a reader; others are planned by then."""

    def __init__(self, url: str, folder: Path):
        self._store, self._folder, self._lease = open_store(url), folder, process.new_lease()
        self.trials: dict[str, Trial] = {}
        self.writes = 0
        self._plan(20)

    def _plan(self, number: int) -> None:
        trials = [replace(make_trial(n), setting=f"{n:032x}", conditions={"number": n}) for n in range(number)]
        self.trials = {trial.digest: trial for trial in trials}
        self._store.plan(trials[-20:])

    def write(self, *_: Any) -> None:
        number, trial = self.writes, [*self.trials.values()][self.writes]
        self._plan(number + 21)
        names = [*(f"metric-{n}" for n in range(5)), f"of-{number}"]
        self._store.put_specs([MetricSpec("fake", 1, name, "%", True) for name in names])
        assert self._store.claim([trial.digest], self._lease, self._folder)
        outcome = outcome_of(trial)
        outcome.metrics[f"of-{number}"] = 1.0
        assert self._store.finish(trial.digest, self._lease.token, outcome)
        self.writes += 1

    @contextmanager
    def between_queries_of(self, reader: Store) -> Iterator[None]:
        sa.event.listen(reader._engine, "before_cursor_execute", self.write)
        try:
            yield
        finally:
            sa.event.remove(reader._engine, "before_cursor_execute", self.write)


@pytest.fixture
def writer(url: str, tmp_path: Path) -> Writer:
    writer = Writer(url, tmp_path)
    writer.write()
    return writer


def whole(reader: Store, writer: Writer, **options: Any) -> None:
    for result in reader.results(**options):
        trial = writer.trials[result.digest]
        number = trial.config["number"]
        assert dict(result.metrics) == {**expected(trial), f"of-{number}": 1.0}
        assert result.cost == outcome_of(trial).cost and result.durations == {"train": 0.1}


def exported(reader: Store, writer: Writer, folder: Path) -> None:
    told = reader.export_to(folder / "all.jsonl")
    other = open_store(f"sqlite:///{folder}/{writer.writes}.db")
    assert other.import_from(folder / "all.jsonl").trials == told
    whole(other, writer)


def together(reader: Store, writer: Writer) -> None:
    with reader.snapshot():
        results, settings, specs = reader.results(), reader.settings(), {spec.metric for spec in reader.specs()}
    assert len(settings) == len(results) + 20, "each has one, and so have the twenty that are planned"
    assert len(specs) == 6 and any(specs == {*result.metrics} for result in results)


@pytest.mark.parametrize("read", [whole, together, exported])
def test_what_is_read_is_of_one_moment(url: str, writer: Writer, tmp_path: Path, read: Callable[..., None]):
    reader, before = open_store(url, read_only=True), writer.writes
    with writer.between_queries_of(reader):
        for _ in range(2):
            read(reader, writer, *([tmp_path] if read is exported else []))
    assert writer.writes > before + 4, "nothing was written in between"
    whole(reader, writer)
    assert len(reader.results()) == writer.writes


def test_a_reader_sees_what_is_written_after_its_snapshot(url: str, writer: Writer):
    reader = open_store(url, read_only=True)
    with reader.snapshot():
        first = len(reader.results())
        writer.write()
        assert len(reader.results()) == first
    assert len(reader.results()) == first + 1
