"""Database URLs: which are accepted, and the file behind one."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from harness.errors import UsageError

_SQLITE = re.compile(r"(?P<driver>sqlite(?:\+\w+)?):///(?P<path>.*)", re.DOTALL)
"""A path stands in a URL as it is: ``?`` and ``%`` are letters of names, where SQLAlchemy would cut it short and decode it."""


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database, ``None`` in memory or elsewhere."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def parse(url: str) -> URL:
    """A validated database URL; the path in that of a SQLite file is taken as it stands.

    Raises:
        UsageError: not a URL, a driver that is not installed, a folder, or a database in memory.
    """
    file = _SQLITE.fullmatch(url)
    try:
        parsed = URL.create(file["driver"], database=file["path"]) if file else make_url(url)
        parsed.get_dialect().import_dbapi()
    except NoSuchModuleError:
        raise UsageError(f"no database driver for '{parsed.drivername}'. Use sqlite or postgresql+psycopg.") from None
    except ArgumentError:
        raise UsageError(f"'{url}' is not a database URL. Write e.g. sqlite:///results/harness.db.") from None
    except ImportError as error:
        mend = f"Run `pip install '{error.name}'`." if error.name else "Install the package that has it."
        if parsed.drivername.startswith("postgresql"):
            mend = "Run `pip install 'attention-harness[postgresql]'` and write postgresql+psycopg://..."
        raise UsageError(f"the driver for '{parsed.drivername}' is not installed. {mend}") from None
    if parsed.get_backend_name() == "sqlite":
        _check_file(url, parsed)
    return parsed


def absolute(url: str) -> str:
    """The same database from any folder."""
    file = _SQLITE.fullmatch(url)
    return f"{file['driver']}:///{os.path.abspath(file['path'])}" if file else url


def _check_file(url: str, parsed: URL) -> None:
    example = "Name a file: sqlite:///results/harness.db."
    if parsed.database in (None, "", ":memory:"):
        raise UsageError(f"'{url}' is a database in memory, which the processes of a run cannot share. {example}")
    if re.search(r"\?\w+=", parsed.database) or parsed.database.startswith("file:"):
        raise UsageError(f"'{url}' has options, which the harness sets itself. {example}")
    try:
        mode = os.stat(parsed.database).st_mode
    except FileNotFoundError:
        if (decoded := unquote(parsed.database)) != parsed.database and os.path.isfile(decoded):
            raise UsageError(f"'{url}': there is no such file, but there is {decoded}. Write sqlite:///{decoded}.") from None
        return
    except (OSError, ValueError) as error:
        raise UsageError(f"'{url}' cannot be a file: {getattr(error, 'strerror', None) or error}. {example}") from None
    if stat.S_ISDIR(mode):
        raise UsageError(f"'{url}' is a folder. Name a file in it: {url.rstrip('/')}/harness.db.")
    if not stat.S_ISREG(mode):
        raise UsageError(f"'{url}' is no regular file. {example}")


def results_folder(url: str) -> Path:
    """Where the trials of the database at ``url`` keep logs, checkpoints and pictures: beside its file, or in ``results``.

    Raises:
        UsageError: see :func:`parse`.
    """
    file = file_of(parse(url))
    return Path("results") if file is None else file.parent


def shown(url: URL) -> str:
    """The URL without its password, as :func:`parse` reads it."""
    if file_of(url) is not None:
        return f"{url.drivername}:///{url.database}"
    return url.render_as_string(hide_password=True)
