"""The files of a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis import formats
from harness.report import latex, page
from harness.store import open_store

if TYPE_CHECKING:
    from harness.analysis.board import Board
    from harness.store import Imported

TABLES = ("leaderboard.md", "leaderboard.tex", "leaderboard.csv", "leaderboard.json")


@contextmanager
def imported(files: Sequence[Path], told: Callable[[Path, Imported], None] = lambda file, done: None) -> Iterator[str]:
    """The URL of a database that holds what some exports do, and is gone afterwards.

    Args:
        told: called with what each of them added.

    Raises:
        UsageError: a file is no export.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        url = f"sqlite:///{folder}/report.db"
        with closing(open_store(url)) as store:
            for file in files:
                told(file, store.import_from(file))
        yield url


def texts(url: str, board: Board, json: str, *, family: str | None, benchmarks: Sequence[str]) -> dict[str, str]:
    """Name -> text of each file.

    Args:
        url: of the database the board was read from.
        json: the board as a document, which the command line makes.
        family, benchmarks: what the board was limited to.
    """
    contents = (formats.markdown(board), latex.document(board), formats.csv_text(board), json)
    tables = {name: text.rstrip("\n") + "\n" for name, text in zip(TABLES, contents, strict=True)}
    return {"index.html": page.html(url, board, family=family, benchmarks=benchmarks, files=TABLES), **tables}
