"""Whether a database is damaged: asked when something failed that cannot fail on a sound one.

SQLite keeps in a column whatever is written there, by any program or a failing disk, and reads it back without a word. To look at
every value takes as long as an export, so nobody does before it matters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.types import Boolean, Double, Integer, LargeBinary

from harness.errors import HarnessError
from harness.store import imports, portable
from harness.store.database import connect, explained
from harness.store.records import PLACES
from harness.store.schema import REVISION, metadata
from harness.store.url import file_of, parse, shown

_HELD = ((Boolean, ("integer",)), (Integer, ("integer",)), (Double, ("real", "integer")), (LargeBinary, ("blob",)))
"""Type of a column -> how SQLite may have stored its values; any other is text."""


def damage(url: str) -> str | None:
    """A sentence about what is wrong with the SQLite database at ``url``; ``None`` where nothing is found, and for other databases."""
    try:
        parsed = parse(url)
        file = file_of(parsed)
        if file is None or not file.is_file():
            return None
        with explained(parsed), connect(parsed, read_only=True).begin() as connection:
            reason = next(_faults(connection), None)
    except HarnessError as error:
        return str(error)
    except Exception as error:  # whatever a value that is none can cause
        reason = f"{type(error).__name__}: {error}"
    return reason and f"{shown(parsed)} is damaged ({reason}). Restore it from a backup or an export, or give another --db."


def _faults(connection: sa.Connection) -> Iterator[str]:
    yield from (told for told in connection.exec_driver_sql("PRAGMA integrity_check(1)").scalars() if told != "ok")
    if connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() != REVISION:
        return
    for table in metadata.sorted_tables:
        for column in table.columns:
            kinds = next((kinds for kind, kinds in _HELD if isinstance(column.type, kind)), ("text",))
            kind = sa.func.typeof(column)
            wrong = sa.select(kind).where(kind.not_in((*kinds, "null") if column.nullable else kinds)).limit(1)
            yield from (f"{table.name}.{column.name} holds a value of type {told}" for told in connection.scalars(wrong))
    for number, line in enumerate(portable.lines(connection)):
        line |= {name: None for name in PLACES if name in line}  # an import may refuse those of another machine
        try:
            imports.parsed(json.dumps(line, allow_nan=False), first=not number)
        except (ValueError, TypeError) as error:
            yield f"{line['kind']} {line.get('digest', '')}: {imports.told(error)}"
