"""Plain data out of a pickle, of which nothing runs.

A pickle is a program that may call whatever it names. Here it may make dictionaries, lists, text and numbers. Where it names NumPy, for its
arrays, it is given stand-ins that make lists of numbers; every other name is refused. Stand-ins are made anew for each file, so that
whatever a pickle does to them ends with it.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MOST = 64 << 20
"""Bytes of a file; the annotation of RParis6k has less than one of them."""

_NUMBERS = re.compile(r"[iu][1248]|f[248]|b1")


def read(file: Path) -> Any:
    """The data in a pickle; arrays as flat lists, NumPy's scalars as numbers.

    Raises:
        ValueError: it cannot be read, or is more than plain data; a clause for people.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST + 1)
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    if len(content) > _MOST:
        raise ValueError(f"the file has more than {_MOST >> 20} MB, which no annotation has")
    try:
        # one that numbers what it remembers beyond its own length asks for all memory there is
        numbers = (place for code, place, _ in pickletools.genops(content) if code.name in ("PUT", "LONG_BINPUT"))
        if any(number > len(content) for number in numbers if isinstance(number, int)):
            raise pickle.UnpicklingError("it remembers more than it holds")
        # text of Python 2 has bytes only
        return _Plain(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # whatever a pickle that is cut off, or something else, leads to
        raise ValueError(f"it is no pickle of plain data ({type(error).__name__}: {error})") from None


class _Plain(pickle.Unpickler):
    """Calls nothing but what stands here."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.known: dict[str, dict[str, Callable[..., Any]]] = {
            "numpy": {
                "ndarray": lambda *_: _Array(),
                "dtype": lambda code, *_: _Kind(code),
                "_reconstruct": lambda *_: _Array(),
                "scalar": lambda kind, raw: kind.numbers(raw)[0],
                "_frombuffer": lambda raw, kind, *_: kind.numbers(raw),
            },
            # how Python 3 writes bytes that Python 2 may read
            "_codecs": {"encode": lambda text, *_: _bytes(text)},
            "__builtin__": {"bytes": lambda: b""},
        }

    def find_class(self, module: str, name: str) -> Any:
        # older and newer NumPys have them in other modules
        found = self.known.get(module.partition(".")[0], {}).get(name)
        if found is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return found


class _Array(list[Any]):
    """The numbers of an array, in a row."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *_, kind, _in_columns, raw = state
        self[:] = raw if isinstance(raw, list) else kind.numbers(raw)


class _Kind:
    """The type of an array's numbers."""

    def __init__(self, code: str):
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"

    def numbers(self, raw: Any) -> list[Any]:
        import numpy as np

        if not _NUMBERS.fullmatch(self.code):
            raise ValueError(f"an array of {self.code}")
        found: list[Any] = np.frombuffer(_bytes(raw), self.order + self.code).tolist()
        return found


def _bytes(raw: Any) -> bytes:
    return raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
