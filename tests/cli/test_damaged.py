"""A damaged database is named, with its mend; no command ends in a traceback."""

from __future__ import annotations

import itertools
import sqlite3

import pytest

from harness.store.schema import metadata

COMMANDS = (["leaderboard"], ["leaderboard", "--diagnostics"], ["status"], ["compare", "gap", "gem"], ["db", "export", "out.jsonl"])
ODD = ("x", b"\xff\xfe", "{", -1, 1e300, "[1]", "null")


@pytest.fixture
def database(measured, tmp_path):
    measured("gap", 70.0, 72.0, None)
    measured("gem", 80.0, 81.0)
    return tmp_path / "results" / "harness.db"


def damaged(database, statement: str, *values: object) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "command", "says"),
    [
        ("UPDATE numbers SET value = '[1]'", "leaderboard", "numbers.value holds a value of type text"),
        ("UPDATE samples SET data = 'AAAA'", "db export out.jsonl", "samples.data holds a value of type text"),
        ("UPDATE samples SET data = x'00'", "compare gap gem", "trial "),
        ("UPDATE configs SET content = '{'", "leaderboard", "JSONDecodeError"),
        (
            "UPDATE trials SET state = 'running', expires = 'x', host = 'b', finished = NULL",
            "status",
            "trials.expires holds a value of type text",
        ),
    ],
)
def test_damage_is_named_with_its_mend(cli, database, statement, command, says):
    damaged(database, statement)
    result = cli(*command.split())
    assert result.exit_code == 2 and f"harness.db is damaged ({says}" in result.stderr
    assert result.stderr.endswith("). Restore it from a backup or an export, or give another --db.\n")


def test_text_that_is_none_is_no_database(cli, database):
    damaged(database, "UPDATE alembic_version SET version_num = CAST(x'ff' AS TEXT)")
    result = cli("status")
    assert result.exit_code == 2 and "is not a readable SQLite database (Could not decode" in result.stderr


@pytest.mark.slow
def test_no_value_of_any_column_ends_in_a_traceback(cli, database):
    sound = database.read_bytes()
    odd, commands = itertools.cycle(ODD), itertools.cycle(COMMANDS)
    columns = [(table.name, column.name) for table in metadata.sorted_tables for column in table.columns]
    for (table, column), _ in itertools.product(columns, range(2)):
        database.write_bytes(sound)
        value = next(odd)
        try:
            damaged(database, f'UPDATE {table} SET "{column}" = ?', value)
        except sqlite3.IntegrityError:
            continue
        command = next(commands)
        result = cli(*command)
        assert result.exit_code in (0, 2, 4) and "unexpected" not in result.output, (table, column, value, command, result.output)


def test_what_is_no_damage_stays_a_bug(cli, database, monkeypatch):
    def explode(*args, **options):
        raise TypeError("a bug")

    monkeypatch.setattr("harness.analysis.source.board", explode)
    result = cli("leaderboard")
    assert result.exit_code == 3 and "unexpected TypeError: a bug" in result.stderr
