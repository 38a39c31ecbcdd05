"""The types of what a record holds: each says once how a database keeps it and what a line of an export may say.

    @dataclass
    class Floor:
        benchmark: Name
        version: Small

From such a record, :mod:`harness.store.schema` makes the table and :mod:`harness.store.lines` the line.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from functools import cache, lru_cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from sqlalchemy import JSON, BigInteger, Boolean, Integer, String, Text, TextClause, text
from sqlalchemy.types import Double, TypeDecorator, TypeEngine

from harness.outcome import LATER


class _Short(TypeDecorator[Any]):
    """JSON that is the same in thousands of rows, which share its value, since nobody changes a record."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        process = super().result_processor(dialect, coltype)
        if process is None or dialect.name != "sqlite":  # other drivers read JSON themselves
            return process
        return lru_cache(4096)(process)


class _Tuple(_Short):
    """A JSON list, read as a tuple."""

    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else tuple(value)


@dataclass(frozen=True)
class Kind:
    """How a type is kept."""

    column: TypeEngine[Any]
    line: str
    """The type in a line of an export, one of :data:`harness.store.lines.TYPES`: to name it here needs no import of pydantic."""
    nullable: bool = False
    """Whether it is NULL somewhere though the record does not say so: NaN is."""


Digest = Annotated[str, Kind(String(32), "digest")]
Name = Annotated[str, Kind(String(128), "text")]
Long = Annotated[str, Kind(String(255), "text")]
Word = Annotated[str, Kind(String(64), "text")]
Short = Annotated[str, Kind(String(32), "text")]
Small = Annotated[int, Kind(Integer(), "int32")]
Count = Annotated[int, Kind(Integer(), "count")]
Score = Annotated[float, Kind(Double(), "finite", nullable=True)]
"""A number that may be NaN."""
Time = Annotated[float, Kind(Double(), "time")]
"""Seconds since the epoch."""
Seconds = Annotated[float, Kind(Double(), "seconds")]
Texts = Annotated[tuple[str, ...], Kind(_Tuple(), "texts")]
Words = Annotated[dict[str, str], Kind(_Short(), "")]

_PLAIN = {
    str: Kind(Text(), "text"),
    int: Kind(BigInteger(), "int64"),
    float: Kind(Double(), "finite"),
    bool: Kind(Boolean(), "truth"),
}


@dataclass(frozen=True)
class Held:
    """A field of a record, as it is kept."""

    name: str
    column: TypeEngine[Any]
    line: str
    plain: Any
    """The bare type, which a line has where :attr:`line` is empty."""
    nullable: bool
    later: bool
    """Absent from the first databases and exports, which have ``default``."""
    default: Any

    @property
    def server_default(self) -> str | TextClause | None:
        """What older rows get."""
        if not self.later or self.default is None:
            return None
        if self.default == "":
            return text("''")  # Alembic takes a plain empty text for none
        return self.default if isinstance(self.default, str) else json.dumps(self.default)


def held(record: type) -> Iterator[Held]:
    """The fields of a dataclass."""
    hints = get_type_hints(record, include_extras=True)
    for field in dataclasses.fields(record):
        plain, marks, nullable = _parts(hints[field.name])
        kind = next((mark for mark in marks if isinstance(mark, Kind)), None)
        kind = kind or _PLAIN.get(plain) or Kind(JSON(), "")
        nullable |= kind.nullable
        default = field.default if field.default_factory is MISSING else field.default_factory()
        yield Held(field.name, kind.column, kind.line, plain, nullable, LATER in marks, default)


def _parts(hint: Any) -> tuple[Any, list[Any], bool]:
    """The bare type, its annotations, and whether it may be ``None``."""
    marks, nullable = [], False
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            marks += more
        elif NoneType in get_args(hint):
            (hint,) = (part for part in get_args(hint) if part is not NoneType)
            nullable = True
        else:
            return hint, marks, nullable


@cache
def field_names(record: type) -> tuple[str, ...]:
    """The names of a record's fields."""
    return tuple(field.name for field in dataclasses.fields(record))
