"""``--set key=value``: changes of benchmark and method entries for one run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from harness.benchmarks import family
from harness.catalog import Benchmark, Method
from harness.catalog.load import explain, plain
from harness.catalog.plain import read
from harness.errors import UsageError, did_you_mean

_Schema = TypeVar("_Schema", bound=BaseModel)

METHOD = "method"
"""First part of a key that changes a method and not a benchmark."""


PLUGIN = "plugin"
"""Of a slot's filling, what makes it that method and no other."""


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
            UsageError: a key below something that is no mapping, one that has no effect, or a value of a wrong type.
        """
        raw = entry.model_dump()
        instead = family(entry.family).instead if self.items else {}
        for item in self.items:
            if item.parts[0] == METHOD:
                continue
            _has_effect(item, instead)
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
            UsageError: an unknown slot, another plugin, or a value of a wrong type.
        """
        raw = method.model_dump()
        slots = raw["slots"]
        for item in self.items:
            if item.parts[0] != METHOD:
                continue
            *place, name = item.parts[1:]
            if name == PLUGIN:
                raise UsageError(f"--set {item.text}: the row would show another method's numbers. Run that method: -m METHOD.")
            if not place and name in slots:
                value = item.text.partition("=")[2]
                raise UsageError(f"--set {item.text}: '{name}' is a slot. Write method.{name}.PARAMETER={value}.")
            if place and place[0] not in slots:
                raise UsageError(f"--set {item.text}: method '{method.id}': {did_you_mean(place[0], slots, 'slot')}")
            for filling in (slots[place[0]],) if place else slots.values():
                filling[name] = item.value
        return _valid(Method, raw)


def _has_effect(item: Override, instead: Mapping[str, str]) -> None:
    """Refuse a value at a place that another key fills in, also as a part of a mapping."""
    for key, other in instead.items():
        places = tuple(key.split("."))
        if item.parts != places[: len(item.parts)]:
            continue
        value, rest = item.value, places[len(item.parts) :]
        for part in rest:
            value = value.get(part) if isinstance(value, dict) else None
        if not rest:
            raise UsageError(f"--set {item.text}: {other} fills in this place, so it has no effect. Write --set {other}={value}.")
        if value is not None:
            raise UsageError(f"--set {item.text}: {other} fills in its {places[-1]}. Leave that out, and write --set {other}={value}.")


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
    if key_of := next(_unspaced(value, value_text), None):
        raise UsageError(f"--set {text}: YAML reads '{key_of}' as a key without a value. Write a blank after the colon.")
    lengths = {"data": (2, None), "model": (2, None), "schedule": (2, None), METHOD: (2, 3)}
    shortest, longest = lengths.get(parts[0], (0, 0))
    if not shortest <= len(parts) <= (longest or len(parts)) or not shortest:
        raise UsageError(f"--set {text}: the key starts with data., model., schedule. or method.")
    return Override(text, parts, value)


def _unspaced(value: Any, text: str) -> Iterator[str]:
    """Keys like ``a:2``, which stand for ``a: 2`` and are none of that: ``{a:2}`` is ``{"a:2": null}``."""
    if isinstance(value, dict):
        for key, item in value.items():
            if item is None and ":" in key and not re.search(re.escape(key) + r"[\"']?\s*:", text):
                yield key
            yield from _unspaced(item, text)
    elif isinstance(value, list):
        for item in value:
            yield from _unspaced(item, text)


def _valid(schema: type[_Schema], raw: dict[str, Any]) -> _Schema:
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        raise explain(error, (), {}, "--set") from None
