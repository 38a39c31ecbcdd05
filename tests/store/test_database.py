"""Opening databases: new, missing, foreign, corrupt, newer, busy."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import make_dataclass, replace
from pathlib import Path
from threading import Timer

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from engine_fakes import make_trial, outcome_of
from pydantic import TypeAdapter, ValidationError

from harness.errors import UsageError
from harness.outcome import Cost
from harness.store import Floor, MetricSpec, StoreError, current, database, open_store, process, upgrade
from harness.store.columns import Small, held
from harness.store.lines import TYPES
from harness.store.schema import REVISION, metadata


def test_the_migrations_yield_the_schema(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/deep/down/harness.db"
    assert current(url) is None
    assert upgrade(url) == REVISION == current(url)
    with sa.create_engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_can_be_undone(tmp_path: Path):
    from alembic import command

    from harness.store import migrate

    url = f"sqlite:///{tmp_path}/harness.db"
    upgrade(url)
    with sa.create_engine(url).begin() as connection:
        settings = migrate.config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "base")
    assert sa.inspect(sa.create_engine(url)).get_table_names() == ["alembic_version"]


def test_an_upgrade_keeps_every_trial_with_its_numbers(tmp_path: Path, measured):
    from alembic import command

    from harness.store import migrate

    measured("gap", 70.0, 72.0)
    url = f"sqlite:///{tmp_path}/results/harness.db"
    before = open_store(url).results()
    with sa.create_engine(url).begin() as connection:
        settings = migrate.config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "0001")
    assert upgrade(url) == REVISION
    # the first schema had no place for the setting
    assert open_store(url).results() == [replace(result, task="", setting="") for result in before] and len(before) == 2
    assert all(result.setting for result in before)


@pytest.fixture
def old(tmp_path: Path) -> str:
    """URL of a database that an earlier harness wrote."""
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(Path(__file__).with_name("schema_0002.sql").read_text())
    return f"sqlite:///{tmp_path}/old.db"


def test_a_database_of_an_earlier_harness_is_upgraded_whole(old: str):
    with pytest.raises(UsageError, match=r"older harness\. Mend: `harness db upgrade --db sqlite:///"):
        open_store(old, read_only=True)
    assert (current(old), upgrade(old)) == ("0002", REVISION)
    store = open_store(old, read_only=True)
    gap, simpool = store.results()
    assert (gap.method, gap.metrics, gap.durations) == (
        "gap", {"maxboxaccv2": 65.83333333333333, "corloc": 71.66666666666667}, {"train": 5.536017783999995},
    )  # fmt: skip
    assert simpool.diagnostics == {"entropy": 0.48329137762387592}
    assert simpool.cost == Cost(413790, 65090688.0, 1.8488760000252569, 93.109375)
    assert store.per_sample()[gap.digest]["corloc"].mean() == pytest.approx(gap.metrics["corloc"])
    assert store.config(gap.config_digest) == {"model": {}} and store.environments()[gap.environment_digest] == {"numerics": 3}
    failed = store.trial("501048b7caf09187")
    assert (failed.state, failed.reason, failed.attempts, failed.overrides) == ("failed", "ValueError: of old", 2, ("schedule.epochs=3",))
    assert [spec.metric for spec in store.specs()] == ["maxboxaccv2", "corloc"] and store.floors()[0].value == 0.0


def test_a_floor_of_another_task_stands_beside_the_first_and_goes_with_an_older_schema(tmp_path: Path):
    from alembic import command

    from harness.store import migrate

    url = f"sqlite:///{tmp_path}/harness.db"
    store = open_store(url)
    floors = [Floor("b", 1, "d", "top1", value, task) for value, task in ((1.0, ""), (2.0, "t"))]
    store.put_floors(floors)
    assert store.floors() == floors
    with sa.create_engine(url).begin() as connection:
        settings = migrate.config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "0004")
    assert upgrade(url) == REVISION and open_store(url).floors() == floors[:1]


def test_the_note_on_the_map_becomes_a_label_and_a_note_again(old: str):
    from alembic import command

    from harness.store import migrate

    with sa.create_engine(old).connect() as connection:
        before = connection.execute(sa.text("SELECT digest, notes FROM trials ORDER BY digest")).all()
    upgrade(old)
    gap, simpool = open_store(old).results()
    assert (gap.labels, simpool.labels) == ({"map": "class activation"}, {"map": "pooling attention"})
    assert [note.split(":")[0] for result in (gap, simpool) for note in result.notes] == ["corloc", "corloc"]
    assert open_store(old).trial("501048b7caf09187").labels == {}
    with sa.create_engine(old).begin() as connection:
        settings = migrate.config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "0002")
        assert connection.execute(sa.text("SELECT digest, notes FROM trials ORDER BY digest")).all() == before


@pytest.mark.parametrize("make", [lambda file: None, lambda file: file.touch(), lambda file: sqlite3.connect(file).close()])
def test_a_missing_or_empty_database_reads_as_one_without_trials(tmp_path: Path, make):
    file = tmp_path / "harness.db"
    make(file)
    before = file.exists()
    store = open_store(f"sqlite:///{file}", read_only=True)
    assert store.results() == store.trials() == store.specs() == store.floors() == []
    assert file.exists() == before
    assert open_store(f"sqlite:///{file}").results() == []


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("CREATE TABLE recipes (name TEXT)", "tables of another program"),
        *(
            (f"CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('{version}')", "newer harness")
            for version in ("9999", "", "head", "base", "00")
        ),
    ],
)
def test_databases_of_others_are_refused(tmp_path: Path, content: str, says: str, read_only: bool):
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.executescript(content)
    with pytest.raises(UsageError, match=f"{tmp_path}/other.db .*{says}"):
        open_store(f"sqlite:///{tmp_path}/other.db", read_only=read_only)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_corrupt_file_is_refused_and_left_alone(tmp_path: Path, read_only: bool):
    file = tmp_path / "harness.db"
    file.write_bytes(b"SQLite format 4\0" * 300)
    with pytest.raises(UsageError, match="not a readable SQLite database"):
        open_store(f"sqlite:///{file}", read_only=read_only)
    assert file.read_bytes() == b"SQLite format 4\0" * 300


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("results/harness.db", "not a database URL"),
        ("oracel://host/db", "no database driver"),
        ("postgresql+pg8000://host/db", r"Run `pip install 'attention-harness\[postgresql\]'` and write postgresql\+psycopg://"),
        ("mssql+pyodbc://host/db", r"Run `pip install 'pyodbc'`"),
        ("sqlite:////proc/no/such/harness.db", "cannot create the folder"),
        ("sqlite:////proc", "is a folder. Name a file in it: sqlite:////proc/harness.db"),
        ("sqlite://", "is a database in memory"),
        ("sqlite:///file:x.db?mode=memory&uri=true", "has options"),
        ("sqlite:///x.db?mode=ro", "has options"),
        (f"sqlite:///{'x' * 300}", "cannot be a file: File name too long"),
        ("sqlite:///nul\0l.db", "cannot be a file"),
        ("sqlite:////dev/null", "is no regular file"),
        ("sqlite:///:memory:", "is a database in memory"),
    ],
)
def test_bad_urls_are_explained(url: str, says: str):
    for read_only in (True, False):
        if not (read_only and "cannot create" in says):  # what does not exist reads as empty
            with pytest.raises(UsageError, match=says):
                open_store(url, read_only=read_only)


def test_a_name_with_a_question_mark_is_written_as_it_is(tmp_path: Path):
    """Whoever escapes it, as other programs want, is told, and only then."""
    open_store(f"sqlite:///{tmp_path}/what?.db")
    with pytest.raises(UsageError, match=r"there is no such file, but there is .*/what\?\.db\. Write sqlite:///.*/what\?\.db"):
        open_store(f"sqlite:///{tmp_path}/what%3F.db", create=False)
    with pytest.raises(UsageError, match="no database at"):
        open_store(f"sqlite:///{tmp_path}/other%3F.db", create=False)


@pytest.mark.parametrize(("kind", "bits"), [(int, 64), (Small, 32)])
def test_a_number_that_no_column_holds_is_refused_in_an_export(kind: object, bits: int):
    (field,) = held(make_dataclass("Record", [("count", kind)]))
    read = TypeAdapter(TYPES[field.line], config={"strict": True}).validate_python
    edge = 1 << (bits - 1)
    assert (read(-edge), read(edge - 1)) == (-edge, edge - 1)
    for beyond in (-edge - 1, edge):
        with pytest.raises(ValidationError):
            read(beyond)


def test_create_false_refuses_a_missing_database(tmp_path: Path):
    with pytest.raises(UsageError, match="no database at"):
        open_store(f"sqlite:///{tmp_path}/harness.db", create=False)


def test_reading_goes_on_while_a_writer_holds_the_database(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    url = f"sqlite:///{tmp_path}/harness.db"
    store, trial = open_store(url), make_trial()
    store.plan([trial])
    lease = process.new_lease()
    store.claim([trial.digest], lease, tmp_path)
    store.finish(trial.digest, lease.token, outcome_of(trial))
    with sqlite3.connect(tmp_path / "harness.db") as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM numbers")
        reader = open_store(url, read_only=True)
        assert len(reader.results()[0].metrics) == 5
        with pytest.raises(StoreError, match="held by another program"):
            store.plan([make_trial(1)])
        writer.rollback()
    store.plan([make_trial(1)])
    with pytest.raises(UsageError, match="cannot be opened for this"):
        reader.plan([make_trial(2)])


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/harness.db"
    store = open_store(url)
    store.plan([make_trial()])
    engine = store._engine

    @sa.event.listens_for(engine, "connect")
    def small(connection, _record) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StoreError, match=r"full.*Free some space"):
        store.plan([make_trial(n) for n in range(1, 500)])
    assert len(open_store(url).trials()) == 1


def test_several_processes_may_create_the_database_at_once(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/harness.db"
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            try:
                open_store(url).plan([make_trial(number), make_trial(100)])
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert len(open_store(url).trials()) == 5


def test_a_file_that_somebody_writes_to_before_its_mode_is_changed_is_waited_for(tmp_path: Path):
    """SQLite refuses to change it at once, as it does where two that open a new file both want to."""
    other = sqlite3.connect(tmp_path / "harness.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    Timer(0.3, other.rollback).start()
    assert open_store(f"sqlite:///{tmp_path}/harness.db").trials() == []
    other.close()


def test_specs_and_floors_are_kept_with_their_order(tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/harness.db")
    specs = [MetricSpec("b", 1, name, "%", True, primary=name == "top1") for name in ("top1", "top5", "aux")]
    floors = [Floor("b", 1, "data", "top1", 10.0)]
    for _ in range(2):
        store.put_specs(specs)
        store.put_floors(floors)
    assert store.specs() == specs
    assert store.floors() == floors


def test_new_specs_replace_those_of_their_version_only(tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/harness.db")
    both, other = ([MetricSpec(*of, name, "%", True) for name in ("old", "top1")] for of in (("b", 1), ("b", 2)))
    third = [MetricSpec("c", 1, "old", "%", True)]
    store.put_specs([*both, *other, *third])
    store.put_specs(both[1:])
    assert store.specs() == [both[1], *other, *third]


def test_ten_thousand_trials_read_in_a_few_queries(tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/harness.db")
    trials = [make_trial(n % 100, seed=n // 100) for n in range(10_000)]
    store.plan(trials)
    with store._write() as connection:
        connection.execute(sa.text("UPDATE trials SET state = 'done', finished = 1"))
        names = sa.text(
            "INSERT INTO names (id, kind, name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15) "
            "SELECT i, 'metric', 'metric-' || i FROM n"
        )
        connection.execute(names)
        connection.execute(sa.text("INSERT INTO numbers (trial, name, value) SELECT digest, id, id FROM trials, names"))
    queries = []
    sa.event.listen(store._engine, "before_cursor_execute", lambda *args: queries.append(args[2]))
    began = time.process_time()
    results = store.results()
    assert time.process_time() - began < 5
    assert len(results) == 10_000 and all(len(r.metrics) == 15 for r in results)
    assert len(queries) <= 5
