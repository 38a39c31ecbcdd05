"""A source file without what cannot change a result: its comments and docstrings."""

from __future__ import annotations

import ast
import codecs
import io
import tokenize
from functools import lru_cache
from typing import cast

UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError)
"""What parsing a file that is not Python raises: null bytes and endless nesting included."""


@lru_cache(maxsize=4096)
def code(source: bytes) -> bytes:
    """``source`` without comments and without strings that stand as statements; as it is where it is not plain UTF-8.

    Text is cut out rather than printed anew from a tree, so that every version of Python yields the same bytes.
    """
    try:
        if source.startswith(codecs.BOM_UTF8) or tokenize.detect_encoding(io.BytesIO(source).readline)[0] != "utf-8":
            return source  # columns would count other bytes
        source.decode()
        spans = [*_comments(source), *_lone_strings(source)]
    except UNPARSABLE:
        return source
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    kept, at = [], 0
    for (first, left), (last, right) in sorted(spans):
        begin, end = starts[first - 1] + left, starts[last - 1] + right
        alone = not lines[first - 1][:left].strip() and not lines[last - 1][right:].strip()
        kept.append(source[at : starts[first - 1] if alone else begin].rstrip(b" \t"))
        at = starts[last] if alone else end
    return b"".join(kept) + source[at:]


Span = tuple[tuple[int, int], tuple[int, int]]
"""(line from 1, byte) of the first and behind the last character."""


def _comments(source: bytes) -> list[Span]:
    def byte(line: str, column: int) -> int:
        return len(line[:column].encode())

    tokens = tokenize.tokenize(io.BytesIO(source).readline)
    return [((t.start[0], byte(t.line, t.start[1])), (t.end[0], byte(t.line, t.end[1]))) for t in tokens if t.type == tokenize.COMMENT]


def _lone_strings(source: bytes) -> list[Span]:
    statements = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr))
    strings = [node for node in statements if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    # the end is unknown in trees made by hand only
    return [cast("Span", ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))) for node in strings]
