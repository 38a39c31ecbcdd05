"""What all pages share: which database is looked at, what the address says, and text that stays text."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from dashboard.pages import PAGES


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn(page, measured, name, caplog):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, None)
    assert page(name).title
    assert not [record.message for record in caplog.records if record.name.startswith("streamlit.elements")]


def test_an_absent_database_is_named_and_filled_where_it_was_looked_for(page, database):
    """A mistyped ``--db``: not "no results", and no advice that fills another database."""
    app = page("overview")
    assert [block.value for block in app.error] == ["There is no such database."]
    assert database in app.text[0].value
    assert [block.value for block in app.code if "harness" in block.value and "run" in block.value] == [
        f"harness run -s quick --db {database}"
    ]


def test_an_empty_database_says_how_to_fill_it(page, database):
    from harness.store import open_store

    open_store(database)
    app = page("runs")
    assert not app.error and not app.title
    commands = [block.value for block in app.code]
    assert f"harness run -s quick --db {database}" in commands
    assert f"harness db import results/leaderboards/NAME.jsonl --db {database}" in commands


def test_an_unreadable_database_is_an_explanation(page, database, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "harness.db").write_bytes(b"this is no database" * 100)
    app = page("claims")
    assert app.error and any("harness.db" in block.value and "not a readable" in block.value for block in app.text)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE numbers SET value = '[1]'",
        "UPDATE trials SET labels = '{'",
        "UPDATE configs SET content = '{'",
        "UPDATE trials SET created = 'long ago', finished = 'x'",
    ],
)
def test_a_damaged_database_is_a_sentence(page, measured, tmp_path, name, statement):
    """What no harness has written: a sentence, or what can be shown without it, and never a traceback."""
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 82.0)
    _execute(tmp_path, statement)
    app = page(name)
    assert app.title or any("is damaged" in block.value for block in app.text)


@pytest.mark.parametrize("name", PAGES)
def test_half_a_file_is_a_sentence(page, measured, tmp_path, name):
    measured("gap", *[70.0] * 30)
    file = tmp_path / "results" / "harness.db"
    _execute(tmp_path, "PRAGMA journal_mode = DELETE")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    app = page(name)
    assert app.error and any("harness.db" in block.value for block in app.text)


def test_a_password_is_not_shown(page, monkeypatch):
    monkeypatch.setenv("HARNESS_DB", "postgresql+psycopg://someone:s3cret@localhost:1/none")
    app = page("overview")
    assert app.error
    assert not [block.value for some in (app.text, app.code, app.error, app.info) for block in some if "s3cret" in block.value]


def test_a_store_of_an_older_schema_says_how_to_upgrade_it(page, database, measured, tmp_path):
    measured("gap", 70.0)
    _execute(tmp_path, "UPDATE alembic_version SET version_num = '0003'")
    app = page("overview")
    assert app.error and any("harness db upgrade" in block.value for block in app.text)


def test_a_store_of_a_newer_schema_is_a_sentence(page, database, measured, tmp_path):
    measured("gap", 70.0)
    _execute(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    app = page("overview")
    assert app.error and any("newer" in block.value for block in app.text)


def test_a_folder_that_cannot_be_written_is_read(page, measured, tmp_path):
    measured("gap", 70.0, 72.0)
    for name in ("", "harness.db"):
        (tmp_path / "results" / name).chmod(0o555 if not name else 0o444)
    try:
        assert page("overview").title
    finally:
        (tmp_path / "results").chmod(0o755)


@pytest.mark.parametrize("name", PAGES)
def test_a_store_with_plans_only_is_no_traceback(page, database, measured, tmp_path, name):
    """Of a batch that has just begun: no metric is described, no floor known, nothing done."""
    measured("gap", 70.0)
    for table in ("numbers", "costs", "samples", "curves", "floors", "specs"):
        _execute(tmp_path, f"DELETE FROM {table}")
    _execute(tmp_path, "UPDATE trials SET state = 'planned', finished = NULL, started = NULL, environment_digest = NULL")
    assert page(name).title


@pytest.mark.parametrize("name", PAGES)
def test_what_the_registry_no_longer_has_is_shown(page, database, measured, tmp_path, name):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 82.0)
    for column, known in (("benchmark", "scenes-classification"), ("method", "gap"), ("family", "classification")):
        for table in ("trials", "specs", "floors") if column == "benchmark" else ("trials",):
            _execute(tmp_path, f"UPDATE {table} SET {column} = 'gone-{column}' WHERE {column} = '{known}'")
    app = page(name, **({"benchmark": "gone-benchmark"} if name == "benchmark" else {"method": "gone-method"} if name == "method" else {}))
    assert app.title and not app.error


def test_what_is_written_meanwhile_is_seen(page, database, measured, monkeypatch):
    from dashboard import reads

    measured("gap", 70.0, 72.0)
    app = page("runs")
    before = reads.counts()
    measured("gem", 80.0, 82.0)
    monkeypatch.setattr(reads, "CHECKED", 0.0)
    reads._shelf(database)._until = 0.0
    app.run()
    assert not app.exception
    assert sum(reads.counts()["scenes-classification"].values()) == sum(before["scenes-classification"].values()) + 2


def test_an_answer_is_kept_until_the_store_changes(database, measured, monkeypatch):
    from dashboard import reads
    from harness.analysis import source

    measured("gap", 70.0)
    asked = []
    monkeypatch.setattr(source, "counts", lambda url: asked.append(url) or {"once": {}})
    assert reads.counts() is reads.counts() and len(asked) == 1
    measured("gem", 80.0)
    reads._shelf(database)._until = 0.0
    reads.counts()
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("name", "parameters"), [("benchmark", {"benchmark": "none"}), ("method", {"method": "none"}), ("runs", {"state": "none"})]
)
def test_what_the_address_names_but_is_not_there_is_a_sentence(page, measured, name, parameters):
    measured("gap", 70.0, 72.0)
    (value,) = parameters.values()
    assert any(f"'{value}'" in block.value for block in page(name, **parameters).text)


def _execute(tmp_path, statement):
    with contextlib.closing(sqlite3.connect(tmp_path / "results" / "harness.db")) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)
        connection.commit()
