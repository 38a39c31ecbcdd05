"""Tables of results: numbers are numbers, with the digits of :mod:`harness.analysis.numbers`, and a click leads on.

    tables.show(
        [{"method": row.method, "mean": row.mean, "n": row.n} for row in rows],
        numbers={"mean": row.unit},                                            # column -> unit, which decides the digits
        key="ranks",
        opens=lambda row, column: ("method", {"method": rows[row].method}),    # page and its parameters, or None
    )
    tables.download("ranks.csv", lambda: formats.csv_text(board))

Cells are text, whatever they hold. A missing value is ``None`` (shown ``-``), and so is what is not a number. The first columns are
those a phone shows: put the name and the score there. The first column is pinned, and others only where all of them are narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import state, text
from harness import texts
from harness.analysis.numbers import NOTHING, digits

ROW = 30
"""Height of a row and of the heading, in pixels."""

WIDEST = 230
"""Pixels of the first column."""

_LETTER = 6.5
"""Pixels, on the wide side of an average."""

_LOOKED_AT, _WIDEST_TEXT = 10, 160
"""Rows by which a column is made as wide as its text, and pixels of one that a later row makes wider."""

LETTERS = 30
"""Of a name in a cell; of a longer one the middle is left out."""

_NAMES = ("method", "benchmark")
"""Columns of names."""

Opens = Callable[[int, str], tuple[str, Mapping[str, state.Value]] | None]
"""Place of a record and name of a column -> what a click there leads to."""


@dataclass(frozen=True)
class Mark:
    """How a number is shown, which sorts as the number it is."""

    text: str
    bold: bool = False


def show(
    records: Sequence[Mapping[str, Any]],
    *,
    key: str,
    numbers: Mapping[str, str] | None = None,
    columns: Mapping[str, Any] | None = None,
    marks: Mapping[tuple[int, str], Mark] | None = None,
    groups: Mapping[str, str] | None = None,
    opens: Opens | None = None,
    rows: int = 20,
    pinned: bool = True,
    boxes: bool = True,
    alt_text: str | None = None,
) -> None:
    """Draw records as a table.

    Args:
        key: of the table on its page.
        numbers: columns of floats and the units that decide their digits.
        columns: further settings of ``st.column_config``, by name; a text there is help.
        marks: cells by record and column of ``numbers`` that say more than their number. One that has no number to show is infinite,
            and so stands at an end when the column is sorted.
        groups: columns that have a heading above their name.
        opens: where a click on a cell leads; a click on the box before a row asks for the first column.
        rows: how many are seen at once, the others by scrolling.
        pinned: whether the first column stays when the table is scrolled sideways.
        boxes: whether a row has a box before it to be opened by; without, there is more room on a phone. By the keyboard each has one.
        alt_text: what the table is, for those who do not see it.
    """
    told = [{name: _cell(name, cell) for name, cell in record.items()} for record in records]
    frame = pd.DataFrame(told)
    config: dict[str, Any] = {}
    for name, unit in (numbers or {}).items():
        if name in frame:
            frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
            # a format of its own would hide what a mark says
            config[name] = st.column_config.NumberColumn(format=None if marks else f"%{digits(unit)}")
    for name, extra in (columns or {}).items():
        config[name] = (config.get(name) or {}) | ({"help": extra} if isinstance(extra, str) else extra)
    if len(frame.columns):
        first = str(frame.columns[0])
        longest = max(map(len, map(str, [first, *frame[first]])))
        # wide enough for its names, narrow enough for the next column to be seen on a phone
        config[first] = {"width": round(min(30 + _LETTER * longest, WIDEST))} | (config.get(first) or {}) | {"pinned": pinned}
    for name in frame.columns[1:]:  # the browser looks at the first rows only
        told_of = [len(cell) for cell in frame[name] if isinstance(cell, str)]
        if max(told_of, default=0) > max(told_of[:_LOOKED_AT], default=0):
            config[name] = {"width": round(min(20 + _LETTER * max(told_of), _WIDEST_TEXT))} | (config.get(name) or {})
    names = [*map(str, frame.columns)]
    if groups:
        frame.columns = pd.MultiIndex.from_tuples([(groups.get(name, ""), name) for name in names])
    shown = _marked(frame, names, numbers or {}, marks) if marks else frame
    about: dict[str, Any] = {
        "column_config": config,
        "hide_index": True,
        "width": "content",
        "height": "content" if len(frame) <= rows else ROW * (rows + 1 + bool(groups)) + 2,
        "row_height": ROW,
        "placeholder": NOTHING,
        "alt": alt_text,
    }
    if opens is None:
        st.dataframe(shown, key=key, **about)
        return
    # a table that was clicked is another one when the page is seen again: it would still hold the click
    clicked = st.session_state.setdefault("tables: clicks", 0)
    # a cell is chosen by whatever moves to it: whoever goes by the arrow keys opens rows, not cells
    modes: Any = "single-row" if state.by_keys() else ["single-row", "single-cell"] if boxes else "single-cell"
    chosen = st.dataframe(shown, key=f"{key} {clicked}", on_select="rerun", selection_mode=modes, **about)
    picked = chosen.selection
    place = (picked.rows[0], names[0]) if picked.rows else picked.cells[0] if picked.cells else None
    if place is not None and (target := opens(int(place[0]), str(place[1]))) is not None:
        st.session_state["tables: clicks"] = clicked + 1
        state.go(target[0], **target[1])


def _cell(name: str, cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    return texts.short(text.visible(cell), LETTERS) if name in _NAMES else text.visible(cell)


def width(name: str, records: Sequence[Mapping[str, Any]]) -> int:
    """Pixels of a column that shows all of its texts, up to :data:`WIDEST`."""
    longest = max([len(name), *(len(str(_cell(name, record.get(name, "")))) for record in records)])
    return round(min(20 + _LETTER * longest, WIDEST))


def _marked(frame: pd.DataFrame, names: Sequence[str], numbers: Mapping[str, str], marks: Mapping[tuple[int, str], Mark]) -> Any:
    """The frame as pandas styles it; of such a one Streamlit shows every cell as the style has it."""
    column = dict(zip(names, frame.columns, strict=True))
    css = pd.DataFrame("", index=frame.index, columns=frame.columns)
    by_row: dict[int, dict[Any, Any]] = {}
    for (row, name), mark in marks.items():
        by_row.setdefault(row, {})[column[name]] = partial(_instead, mark.text)
        if mark.bold:
            css.iat[row, names.index(name)] = "font-weight: bold"
    plain: dict[Any, Any] = {column[name]: f"{{:{digits(unit)}}}" for name, unit in numbers.items() if name in column}
    shown = frame.style.format(plain, na_rep=NOTHING)
    for row, told in by_row.items():  # a call is slow: one a row
        shown.format({**plain, **told}, subset=pd.IndexSlice[[row], :], na_rep=NOTHING)
    return shown.apply(lambda _: css, axis=None)


def _instead(text: str, _value: object) -> str:
    return text


def download(file: str, content: Callable[[], str], label: str = "Download CSV") -> None:
    """A button that saves what is shown, with all digits and with what it was measured on; ``content`` is made when it is asked for."""
    st.download_button(
        label, content, file, mime="text/csv", key=f"download {file}", on_click="ignore", type="tertiary", icon=":material/download:"
    )
