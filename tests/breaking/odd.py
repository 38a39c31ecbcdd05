"""Ways to break bytes, texts, trees and files."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOPELESS = (math.nan, math.inf, -math.inf, "x", "", {}, {"a": 1}, [[]], 10**30, 1e300)
"""What no number of a person is."""

VALUES = (
    *HOPELESS, None, True, False, 0, -1, 1.5, [], [None], "9" * 5000, "1_0", "\u0663", "0x10", "nan", "\x1b[31m", "a\nb", "\0", "../../x",
    "/etc/passwd", "~nobody-at-all/x", "<script>", "=1+1", "\u202e", "-", "ä" * 300, -(10**30), 2**63, 1e-300, "null", "1e999",
)  # fmt: skip

WORDS = (
    "",
    "0",
    "-1",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "x",
    "2.5",
    "1_0",
    "\u0663",
    "9" * 5000,
    "\x00",
    "\x1b[31m",
    "1,5",
    "0x10",
    "-0",
    "1e9",
)


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below ``content``."""
    items = list(content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ())
    return [place for key, value in items for place in [(content, key), *places(value)]]


def path_of(content: Any, holder: Any, key: Any) -> str:
    """Where a place is, with ``*`` for each index."""

    def find(some: Any, so_far: tuple[str, ...]) -> tuple[str, ...] | None:
        if some is holder:
            return (*so_far, "*" if isinstance(some, list) else str(key))
        items = some.items() if isinstance(some, dict) else enumerate(some) if isinstance(some, list) else ()
        for name, value in items:
            if (found := find(value, (*so_far, "*" if isinstance(some, list) else str(name)))) is not None:
                return found
        return None

    return ".".join(find(content, ()) or ("?",))


def shown(value: Any) -> str:
    """A value, in short."""
    try:
        text = repr(value)
    except RecursionError:
        return "deep"
    return text if len(text) < 40 else f"{text[:36]}..."


def tree(dice: random.Random, content: Any) -> tuple[str, str, Any, Any]:
    """Break one place of a tree of plain values: what was done, where, the value before and the one after (or ``...``)."""
    holder, key = dice.choice(places(content))
    before, where = holder[key], path_of(content, holder, key)
    match dice.randrange(8):
        case 0:
            del holder[key]
            return "deleted", where, before, ...
        case 1 if isinstance(holder, list):
            holder.insert(dice.randrange(len(holder) + 1), json.loads(json.dumps(before)))
            return "repeated", where, before, before
        case 1 if isinstance(key, str):
            holder[dice.choice([key + "x", key.upper(), " " + key, "", "\x1b", "ä"])] = holder.pop(key)
            return "renamed", where, before, ...
        case 2:
            other, name = dice.choice(places(content))
            after = json.loads(json.dumps(other[name], default=str))
            holder[key] = after
            return "another's value", where, before, after
        case 3 if dice.random() < 0.3:
            deep: Any = before
            for _ in range(dice.choice([10, 1000, 20_000])):
                deep = [deep]
            holder[key] = deep
            return "deep", where, before, deep
        case _:
            after = dice.choice(VALUES)
            holder[key] = json.loads(json.dumps(after)) if isinstance(after, (dict, list)) else after
            return "value", where, before, after


def is_number(value: Any) -> bool:
    """Whether it is one, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def dumped(content: Any) -> str:
    """JSON, however deep."""
    parts: list[str] = []
    stack: list[Any] = [(content,)]
    while stack:
        item = stack.pop()
        if isinstance(item, str) and not isinstance(item, _Value):
            parts.append(item)
            continue
        value = item.value if isinstance(item, _Value) else item[0]
        if isinstance(value, dict):
            inner: list[Any] = ["{"]
            for place, (key, some) in enumerate(value.items()):
                inner += ([", "] if place else []) + [json.dumps(str(key)) + ": ", (some,)]
            stack += reversed([*inner, "}"])
        elif isinstance(value, list):
            inner = ["["]
            for place, some in enumerate(value):
                inner += ([", "] if place else []) + [(some,)]
            stack += reversed([*inner, "]"])
        else:
            parts.append(json.dumps(value))
    return "".join(parts)


class _Value(str):
    value: Any


def _cut(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _flip(dice: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice([1, 5, 100])):
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _zero(dice: random.Random, data: bytes) -> bytes:
    begin = dice.randrange(len(data) + 1)
    length = dice.choice([1, 16, 512])
    return data[:begin] + bytes(min(length, len(data) - begin)) + data[begin + length :]


def _insert(dice: random.Random, data: bytes) -> bytes:
    begin = dice.randrange(len(data) + 1)
    more = dice.choice(
        [b"\xff\xfe", b"\0", b"\x80", b"\xed\xa0\x80", b"\n\n", b"\t", b'"', b"'", b"&", b"<", b"{", b"}", b"[", b"]", b",", b"9" * 5000]
    )
    return data[:begin] + more + data[begin:]


BYTES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "cut": _cut,
    "bytes changed": _flip,
    "bytes set to 0": _zero,
    "bytes inserted": _insert,
    "empty": lambda dice, data: b"",
    "blank": lambda dice, data: b" \n \n",
    "random": lambda dice, data: dice.randbytes(dice.choice([1, 100, 5000])),
    "twice": lambda dice, data: data + data,
    "UTF-16": lambda dice, data: data.decode("utf-8", "replace").encode("utf-16"),
    "latin-1": lambda dice, data: data + "ä".encode("latin-1"),
    "NUL": lambda dice, data: data + b"\0",
    "deep": lambda dice, data: b"[" * 100_000,
    "NaN": lambda dice, data: b"NaN",
    "one long line": lambda dice, data: b"x" * 3_000_000,
}
"""Ways to break a file's bytes."""

HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "BOM": lambda data: b"\xef\xbb\xbf" + data,
    "CRLF": lambda data: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "blank line at the end": lambda data: data + b"\n",
}
"""What editors do to texts."""


def special(dice: random.Random, file: Path) -> str:
    """Something else than a file in the place of ``file``; what."""
    if file.is_dir() and not file.is_symlink():
        file = file / "made-up"
    file.unlink(missing_ok=True)
    match dice.randrange(8):
        case 0:
            os.mkfifo(file)
            return "a FIFO"
        case 1:
            file.symlink_to(file)
            return "a link to itself"
        case 2:
            file.symlink_to("/dev/zero")
            return "a link to /dev/zero"
        case 3:
            file.symlink_to(file.parent / "nowhere")
            return "a link to nowhere"
        case 4:
            file.mkdir()
            return "a folder"
        case 5:
            file.symlink_to(file.parent)
            return "a link to its folder"
        case 6:
            file.symlink_to("/proc/self/mem")
            return "a link to /proc/self/mem"
        case _:
            return "deleted"
