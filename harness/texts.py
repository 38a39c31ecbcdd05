"""Text of others, shown as it is: what a terminal, a page or a table would obey is spelled out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that are no text: control, direction and joining, halves of pairs, ends of lines and paragraphs."""


def visible(text: str, keep: str = "") -> str:
    r"""``text`` with what is no text written as ``\x1b``, ``\n`` or ``\u202e``, except for the characters of ``keep``."""
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) in _OBEYED and letter not in keep else letter
        for letter in text
    )


def one_line(text: str) -> str:
    """The same in one line: blanks for line breaks, which names of files and messages of exceptions may hold."""
    return text if text.isprintable() else visible(" ".join(text.split()))


def amount(count: int, one: str, more: str = "") -> str:
    """``1 trial``, ``2 trials``.

    Args:
        more: where it is not ``one`` with an s.
    """
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def few(names: Iterable[object], most: int = 5) -> str:
    """``a, b, c and 7 more``: a list that stays a part of a sentence."""
    texts = [*map(str, names)]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def short(name: str, longest: int) -> str:
    """With its middle left out where it is too long: variants of a method mostly differ at the end."""
    if len(name) <= longest:
        return name
    end = longest // 3
    return f"{name[: longest - end - 1]}…{name[-end:]}"
