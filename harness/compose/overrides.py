"""``--set key=value``: changes of benchmark and method entries for one run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from harness.catalog import Benchmark, Method
from harness.catalog.load import explain, plain
from harness.catalog.plain import read
from harness.errors import UsageError, did_you_mean

_Schema = TypeVar("_Schema", bound=BaseModel)

METHOD = "method"
"""First part of a key that changes a method and not a benchmark."""


@dataclass(frozen=True)
class Override:
    """One ``key=value``."""

    text: str
    parts: tuple[str, ...]
    """The dotted key, e.g. ``("schedule", "epochs")``."""
    value: Any


@dataclass(frozen=True)
class Overrides:
    """All that a command line changes."""

    items: tuple[Override, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Overrides:
        """Read ``key=value`` texts, whose values are YAML; of two for one key the later counts.

        Raises:
            UsageError: not ``key=value``, not YAML, or a key that belongs to nothing.
        """
        return cls(tuple(_parse(text) for text in dict.fromkeys(texts)))

    def refuse_undone(self) -> None:
        """Refuse what nobody means on one command line.

        Raises:
            UsageError: one undoes what another said.
        """
        for earlier, later in combinations(self.items, 2):
            if _undoes(later, earlier):
                raise UsageError(f"--set {earlier.text} and --set {later.text}: the second undoes the first. Leave one of them out.")

    def texts(self, *, of_benchmark: bool, of_method: bool) -> tuple[str, ...]:
        """As they were written, those of the benchmark or of the method left out where these changed nothing."""
        return tuple(item.text for item in self.items if (of_method if item.parts[0] == METHOD else of_benchmark))

    def of_benchmark(self, entry: Benchmark) -> Benchmark:
        """The entry with everything under ``data``, ``model`` and ``schedule`` applied.

        Raises:
            UsageError: a key below something that is no mapping, or a value of a wrong type.
        """
        raw = entry.model_dump()
        for item in self.items:
            if item.parts[0] == METHOD:
                continue
            target: dict[str, Any] = raw
            for part in item.parts[:-1]:
                target = target.setdefault(part, {})
                if not isinstance(target, dict):
                    raise UsageError(f"--set {item.text}: '{part}' is not a mapping.")
            target[item.parts[-1]] = item.value
        return _valid(Benchmark, raw)

    def of_method(self, method: Method) -> Method:
        """The method with ``method.PARAMETER`` (of all its plugins) and ``method.SLOT.PARAMETER`` applied.

        Raises:
            UsageError: an unknown slot, or a value of a wrong type.
        """
        raw = method.model_dump()
        slots = raw["slots"]
        for item in self.items:
            if item.parts[0] != METHOD:
                continue
            *place, name = item.parts[1:]
            if not place and name in slots:
                value = item.text.partition("=")[2]
                raise UsageError(f"--set {item.text}: '{name}' is a slot. Write method.{name}.PARAMETER={value}.")
            if place and place[0] not in slots:
                raise UsageError(f"--set {item.text}: method '{method.id}': {did_you_mean(place[0], slots, 'slot')}")
            for filling in (slots[place[0]],) if place else slots.values():
                filling[name] = item.value
        return _valid(Method, raw)


def _undoes(later: Override, earlier: Override) -> bool:
    """Whether nothing is left of what was said before; ``method.gamma`` is that of every slot."""
    if later.parts == earlier.parts[: len(later.parts)]:
        return True
    return later.parts == (METHOD, earlier.parts[-1]) and earlier.parts[0] == METHOD


def _parse(text: str) -> Override:
    key, found, value_text = text.partition("=")
    parts = tuple(key.strip().split("."))
    if not found or not all(parts):
        raise UsageError(f"--set {text}: write key=value, e.g. schedule.epochs=3 or method.gamma=2.")
    try:
        value = plain(read(value_text), f"--set {text}")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"--set {text}: the value is not YAML ({getattr(error, 'problem', error)}).") from None
    lengths = {"data": (2, None), "model": (2, None), "schedule": (2, None), METHOD: (2, 3)}
    shortest, longest = lengths.get(parts[0], (0, 0))
    if not shortest <= len(parts) <= (longest or len(parts)) or not shortest:
        raise UsageError(f"--set {text}: the key starts with data., model., schedule. or method.")
    return Override(text, parts, value)


def _valid(schema: type[_Schema], raw: dict[str, Any]) -> _Schema:
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        raise explain(error, (), {}, "--set") from None
