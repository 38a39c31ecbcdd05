"""Run the migrations in ``harness/store/migrations`` (Alembic) on an open connection."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from harness.errors import UsageError
from harness.store.schema import REVISION


def config() -> Config:
    """Alembic's configuration; there is no ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return settings


def refuse_newer(revision: str, where: str) -> None:
    """Raise if ``revision`` is not one of this harness's.

    Raises:
        UsageError: the database was written by a newer harness.
    """
    if revision not in {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}:
        raise UsageError(
            f"{where} is of a newer harness (schema {revision!r:.20}; this one knows {REVISION}). Update the harness, or give another --db."
        )


def run(connection: sa.Connection, revision: str | None, where: str) -> None:
    """Bring the database from ``revision`` to the newest one, within the connection's transaction.

    Raises:
        UsageError: the database was written by a newer harness.
    """
    if revision is not None:
        refuse_newer(revision, where)
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, REVISION)
