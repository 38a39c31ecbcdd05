"""Text of a store is shown as it is, whatever is in it: names, reasons and paths are never read as Markdown, HTML or LaTeX.

    text.show(name)                                # and text.code; cells of tables and charts: text.visible(name)
    st.subheader(text.escaped(row.benchmark))      # headings, captions of pictures, labels of tabs, pills, buttons and links
    text.told("error", "This trial failed.", row.reason)

Options of ``selectbox`` and ``multiselect`` are text already; those of ``pills``, ``radio`` and ``segmented_control`` are Markdown.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import streamlit as st

from harness import texts

_JOINER = "\N{WORD JOINER}"
"""Has no width; breaks up what Streamlit looks for after it has read the Markdown: ``:name:`` of emoji and icons, addresses, e-mails."""


def visible(text: str) -> str:
    """``text`` in one line, with what cannot be seen (control characters, such as turn the direction of writing) written out."""
    return texts.one_line(text)


def show(words: str, **more: Any) -> None:
    """``st.text``, with what cannot be seen written out; ends of lines are ends of lines."""
    st.text(texts.visible(words, "\n"), **more)


def code(words: str, **more: Any) -> None:
    """``st.code`` in one colour, since Streamlit's others are too pale to be read; what cannot be seen is written out."""
    st.code(texts.visible(words, "\n\t"), language=None, **more)


def escaped(text: str) -> str:
    """Markdown that shows ``text``, where only Markdown is taken: headings, labels, captions."""
    marked = re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", visible(text))
    return re.sub(r"(?i)(\\[:@]|www)", rf"\1{_JOINER}", marked)


def told(kind: Literal["error", "warning", "info"], heading: str, reason: str = "") -> None:
    """A coloured line of our own words, and below it what a store, a file or an exception says, as text."""
    getattr(st, kind)(heading)
    if reason:
        show(reason)
