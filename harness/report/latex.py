"""Leaderboards as a LaTeX document that compiles, a table per page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis import formats
from harness.analysis.tables import latex_text

if TYPE_CHECKING:
    from harness.analysis.board import Board

_BEGIN = r"""% What stands between \begin{tabular} and \end{tabular} can be put into any paper that says \usepackage{booktabs}.
\documentclass[a4paper,landscape]{article}
\usepackage[margin=15mm]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
\setlength{\parindent}{0pt}
\newsavebox{\board}
% A table as it is, or as large as the page has room for.
\newenvironment{fitted}{\begin{lrbox}{\board}}{\end{lrbox}%
  \ifdim\wd\board>\linewidth\sbox{\board}{\resizebox{\linewidth}{!}{\usebox{\board}}}\fi
  \ifdim\dimexpr\ht\board+\dp\board\relax>.8\textheight\sbox{\board}{\resizebox*{!}{.8\textheight}{\usebox{\board}}}\fi
  \usebox{\board}\par}
\begin{document}"""


def document(board: Board) -> str:
    """A page per block, then what the signs say and the notes.

    It asks for nothing but ``booktabs``, ``geometry`` and ``graphicx``, and for no font or engine: letters outside of ASCII are accents
    or commands, and what has neither is written as its code point.
    """
    parts = [_BEGIN]
    for heading, sentence, table in formats.latex_blocks(board):
        lines = [rf"\section*{{{latex_text(heading)}}}", *([latex_text(sentence) + r"\par\medskip"] if sentence else [])]
        parts += ["\n".join([*lines, r"\begin{fitted}%", table + "%", r"\end{fitted}", r"\clearpage"])]
    notes = [*formats.latex_legend(board), *board.notes]
    parts += [latex_text(note) + r"\par" for note in notes]
    return "\n\n".join([*parts, r"\end{document}"])
