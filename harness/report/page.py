"""The page as one text."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.analysis import formats, source
from harness.analysis.claims import published
from harness.analysis.overall.summary import overall
from harness.analysis.views import overview
from harness.catalog import load_catalog
from harness.report import across, boards, claimed, gallery, provenance

if TYPE_CHECKING:
    from harness.analysis.board import Board


@cache
def _templates() -> Environment:
    folder = FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8")
    # everything a store holds was written by others: whatever is put into a template is escaped there
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_in_order)


_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _in_order(value: Any) -> Any:
    """Letters that would turn round the text behind them, by their code points: a name must not rewrite the sentence it stands in."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _REORDERING.sub(lambda found: f"[U+{ord(found[0]):04X}]", value)
    return value


def html(url: str, board: Board, *, family: str | None = None, benchmarks: Collection[str] = (), files: Collection[str] = ()) -> str:
    """The page of a board; the same board gives the same text.

    Args:
        url: of the database the board was read from.
        family, benchmarks: what the board was limited to.
        files: names of files that lie beside the page.
    """
    digests = {digest for row in board.rows for digest in row.digests}
    summary = overall(board)
    catalog = load_catalog()
    printed = published.beside(catalog, board, published.load())
    shown = boards.sections(board, source.diagnostics(url, board), printed)
    pictures, left_out = gallery.galleries(url, board)
    anchors = boards.anchors(shown)
    return (
        _templates()
        .get_template("page.html")
        .render(
            provenance=provenance.provenance(board, source.trials(url, digests=digests), source.environments(url), anchors),
            grid=overview.grid(board),
            across=across.tables(summary),
            notes=[*board.notes, *summary.notes],
            legend=formats.legend(board, (), ""),
            boards=shown,
            anchors=anchors,
            claims=claimed.claims(source.claims(url), family, benchmarks),
            galleries=pictures,
            left_out=left_out,
            files=files,
        )
    )
