"""Read what :mod:`harness.store.portable` wrote, checking each line before anything of it is stored."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from harness.errors import UsageError
from harness.files import regular
from harness.store.base import insert_new
from harness.store.lines import LINES, HeaderLine, TrialLine
from harness.store.meeting import meet
from harness.store.merging import Merged
from harness.store.records import SCHEMA, Imported

_BATCH = 500


def read(file: Path, write: Callable[[], AbstractContextManager[sa.Connection]], tables: Mapping[str, sa.Table]) -> Imported:
    """See :meth:`harness.store.portable.Portable.import_from`.

    Args:
        write: begins the transaction.
        tables: kind of a line that is not a trial -> where it goes.
    """
    merged, announced = Merged(), None
    try:
        with regular(file).open(encoding="utf-8-sig") as stream, write() as connection:
            for last, batch in _batches(stream, file):
                try:
                    if isinstance(batch[0], HeaderLine):
                        announced = batch[0].trials
                    elif isinstance(batch[0], TrialLine):
                        merged.add(connection, batch)
                    else:
                        table, rows = tables[batch[0].kind], [line.model_dump(exclude={"kind"}) for line in batch]
                        merged.floors += meet(connection, table, rows)
                        insert_new(connection, table, rows)
                except IntegrityError:
                    raise UsageError(
                        f"{file}, up to line {last}: a trial refers to a config or environment that is not in the file before it. "
                        "Export the database again."
                    ) from None
            if announced is not None and merged.seen != announced:
                raise UsageError(
                    f"{file} has {merged.seen} trials, its first line says {announced}: it was cut off or changed. "
                    "Export the database again."
                )
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not an export: not UTF-8 text.") from None
    return merged.told()


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError(f"{digits:.20} is too large a number")
    return value


def parsed(text: str, *, first: bool) -> Any:
    """One validated line.

    Raises:
        ValueError: it is malformed.
    """
    content = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    kind = content.get("kind") if isinstance(content, dict) else None
    if "\\ud" in text.lower():
        json.dumps(content, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    if first:
        if kind != "header" or content.get("schema") != SCHEMA:
            raise ValueError(f"not an export of the harness with schema {SCHEMA}")
        return HeaderLine.model_validate(content)
    if not isinstance(kind, str) or kind not in LINES:
        raise ValueError(f"unknown kind {kind!r:.60}; known: {', '.join(LINES)}")
    return LINES[kind].model_validate(content)


def told(error: Exception) -> str:
    """What :func:`parsed` found, in one line."""
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors()[0]
    return ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")]))


def _batches(stream: Iterable[str], file: Path) -> Iterator[tuple[int, list[Any]]]:
    """Validated lines of one kind at a time, a few hundred at most, with the number of the last one.

    Raises:
        UsageError: a line is malformed; it is named.
    """
    batch: list[Any] = []
    number = 0
    for number, text in enumerate(stream, start=1):
        if number > 1 and text.isspace():
            continue
        try:
            line = parsed(text, first=number == 1)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{file}, line {number}: {told(error)}. Export the database again.") from None
        if batch and (line.kind != batch[0].kind or len(batch) == _BATCH):
            yield number - 1, batch
            batch = []
        batch.append(line)
    if number == 0:
        raise UsageError(f"{file} is empty, not an export of a database.")
    if batch:
        yield number, batch
