"""A store in a SQLite file and one on a PostgreSQL server: what must hold on both."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from harness.store import Store, open_store


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of a database that tests may fill and empty again: ``HARNESS_TEST_DATABASE``, or one on a server started here."""
    if given := os.environ.get("HARNESS_TEST_DATABASE"):
        yield given
        return
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'psycopg[binary]'")
    pgserver = pytest.importorskip("pgserver", reason="no PostgreSQL: pip install pgserver, or set HARNESS_TEST_DATABASE")
    folder = tempfile.mkdtemp(prefix="pg")  # the path of a socket is short
    try:
        started = pgserver.get_server(folder, cleanup_mode="delete")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL cannot start here: {error}")
    yield started.get_uri().replace("postgresql://", "postgresql+psycopg://")
    started.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database, on each."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/harness.db"
    url: str = request.getfixturevalue("server")
    with sa.create_engine(url, poolclass=sa.pool.NullPool).begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    return url


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)
