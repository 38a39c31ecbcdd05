"""SQLite files with damaged pages and odd values: named as damaged, or read as what they hold."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

from breaking import exports, odd
from breaking.case import Case, Wrong, harness

PAGE = 4096
VALUES = ("x", "{", "[1]", '"a"', "null", "", "2020-01-01", "\0", "\x1b[31m", -1, 2**62, 1e300, float("inf"), b"\xff\xfe", b"", None, 0.5)


def prepare(shared: Path) -> None:
    """A database that holds something in every table."""
    exports.prepare(shared)
    with sqlite3.connect(shared / "results/harness.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    file = folder / "h.db"
    shutil.copy(shared / "results/harness.db", file)
    how = dice.choice(["bytes", "page", "swap", "cut", "value", "value", "value", "schema", "file", "beside"])
    data = bytearray(file.read_bytes())
    pages = len(data) // PAGE
    match how:
        case "bytes":
            for _ in range(dice.choice([1, 10, 200])):
                data[dice.randrange(len(data))] = dice.randrange(256)
            file.write_bytes(data)
        case "page":
            place = dice.randrange(pages) * PAGE
            data[place : place + PAGE] = bytes(PAGE) if dice.random() < 0.5 else dice.randbytes(PAGE)
            file.write_bytes(data)
        case "swap":
            one, other = (dice.randrange(1, pages) * PAGE for _ in range(2))
            data[one : one + PAGE], data[other : other + PAGE] = data[other : other + PAGE], data[one : one + PAGE]
            file.write_bytes(data)
        case "cut":
            file.write_bytes(data[: dice.randrange(len(data))])
        case "beside":
            name = dice.choice(["h.db-wal", "h.db-journal", "h.db-shm"])
            (folder / name).write_bytes(dice.randbytes(dice.choice([0, 100, 40_000])))
            how = f"garbage in {name[4:]}"
        case "file":
            how = odd.special(dice, file)
        case _:
            how += f" {_statement(dice, file, how)}"
    args = dice.choice(
        [
            "db current",
            "db upgrade",
            "run -m gap -b scenes-classification --dry-run",
            "worker --max-trials 1 --for 1s",
            "db backup copy.db",
            "",
        ]
    )

    def act() -> bool:
        db = f"sqlite:///{file}"
        said = harness(*args.split(), "--db", db) if args else None
        exports.look(db, dice)
        out = harness("db", "export", "out.jsonl", "--db", db)
        if out.code:
            return False
        again = harness("db", "import", "out.jsonl", "--db", f"sqlite:///{folder}/again.db")
        if again.refused and not how.startswith(("value", "schema", "bytes", "swap", "page")):
            raise Wrong(f"exported without a word, and then refused: {again.err}")
        return not again.refused and not (said and said.refused)

    return Case(how, "either", act)


def _statement(dice: random.Random, file: Path, kind: str) -> str:
    connection = sqlite3.connect(file)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    table = dice.choice(tables)
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column, value = dice.choice(columns), dice.choice(VALUES)
    if kind == "schema":
        statement = dice.choice(
            [f"DROP TABLE {table}", f'ALTER TABLE {table} RENAME COLUMN "{column}" TO "other"', f"ALTER TABLE {table} RENAME TO other",
            f"DELETE FROM {table}", "CREATE TABLE bookmarks (id INTEGER)", "UPDATE alembic_version SET version_num = '9999'",
            "UPDATE alembic_version SET version_num = '0003'"]
        )  # fmt: skip
        values: tuple[object, ...] = ()
    else:
        statement, values = f'UPDATE {table} SET "{column}" = ?', (value,)
        if dice.random() < 0.5:
            statement += f" WHERE rowid IN (SELECT rowid FROM {table} LIMIT 1)"
    try:
        with connection:
            connection.execute(statement, values)
    except sqlite3.Error as error:
        statement += f" ({error})"
    connection.close()
    return f"{statement} {odd.shown(values)}"
