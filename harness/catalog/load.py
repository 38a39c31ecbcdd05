"""Read registry files into a validated :class:`~harness.catalog.schema.Catalog`.

Only plain YAML is accepted (:mod:`harness.catalog.plain`); a registry is data, nothing in it is executed.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from harness import families, paths
from harness.catalog.claims import Claim, Published
from harness.catalog.plain import Loader, not_deep
from harness.catalog.schema import Benchmark, Catalog, Method, Suite
from harness.diagnostics import MEASURES
from harness.errors import UsageError, did_you_mean
from harness.files import regular

_SECTIONS: dict[str, type[BaseModel]] = {
    "methods": Method,
    "benchmarks": Benchmark,
    "suites": Suite,
    "published": Published,
    "claims": Claim,
}

_MOST_NODES = 200_000
"""A registry with more values than this is an accident, or aliases that multiply each other."""


class _Loader(Loader):
    """SafeLoader that refuses duplicate keys and remembers the line of every key."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.lines: dict[tuple[str, ...], int] = {}
        self._nodes = 0

    def walk(self, node: yaml.Node, path: tuple[str, ...] = ()) -> None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise UsageError(
                f"line {node.start_mark.line + 1}: more than {_MOST_NODES} values. Write the entries out without nested aliases."
            )
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if name in seen:
                    raise UsageError(f"line {line}: '{name}' is given twice (first on line {seen[name]}). Rename or delete one.")
                seen[name] = line
                self.lines[(*path, name)] = line
                self.walk(value, (*path, name))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.lines[(*path, str(index))] = value.start_mark.line + 1
                self.walk(value, (*path, str(index)))


def _parse(file: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    try:
        text = regular(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the registry {file}: {error}. Give a readable UTF-8 YAML file.") from error
    try:
        loader = _Loader(not_deep(text))
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        loader.walk(node)
        content = loader.construct_document(node)
    except UsageError as error:
        raise UsageError(f"{file}, {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise UsageError(f"{file}{line}: not plain YAML: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(content, dict):
        raise UsageError(f"{file}: a registry is a mapping with the keys {', '.join(_SECTIONS)}; found {type(content).__name__}.")
    return content, loader.lines


def plain(value: Any, where: str) -> Any:
    """``value`` itself, if it is made of mappings, lists, text, finite numbers, booleans and null only; whole numbers as keys (those of
    ``labels``) become text.

    Raises:
        UsageError: it holds something else that YAML can express (dates, sets, binary data) or a key that is no text.
    """
    if isinstance(value, dict):
        items = [(str(key) if type(key) is int else key, item) for key, item in value.items()]
        value.clear()
        value.update(items)
        for key, item in items:
            if not isinstance(key, str):
                raise UsageError(f"{where}: the key {key!r} is a {type(key).__name__}. Put it in quotes.")
            plain(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            plain(item, f"{where}.{index}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where}: {value} is not a finite number.")
    elif not (value is None or isinstance(value, bool | int | float | str)):
        raise UsageError(f"{where}: {value!r} is a {type(value).__name__}. Put it in quotes to make it text.")
    return value


def explain(
    error: ValidationError,
    prefix: tuple[str, ...],
    lines: dict[tuple[str, ...], int],
    source: str,
    schema: type[BaseModel] | None = None,
) -> UsageError:
    """One sentence per problem (at most three), each with its line and key.

    Args:
        lines: path of a key -> its line, where a file has lines.
        schema: the type that was expected; an unknown key is then answered with the nearest known ones.
    """
    parts = []
    for problem in error.errors()[:3]:
        where = (*prefix, *(str(p) for p in problem["loc"]))
        line = next((lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in lines), None)
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "unknown key"
            if schema is not None and len(problem["loc"]) == 1:
                message = str(did_you_mean(where[-1], set(schema.model_fields) - {"id"}, "key")).rstrip(".")
        elif problem["type"] not in ("value_error", "missing"):
            message = f"{message}, found {problem['input']!r:.80}"
        parts.append(f"{f'line {line}, ' if line else ''}{'.'.join(where)}: {message}")
    more = len(error.errors()) - 3
    text = f"{source}: {'; '.join(parts)}{f'; and {more} more' if more > 0 else ''}"
    return UsageError(text if text.endswith("?") else f"{text}.")


def read_registry(file: Path) -> Catalog:
    """Parse and validate one registry file.

    Raises:
        UsageError: unreadable, not plain YAML, duplicate or unknown keys, wrong types; names file and line.
    """
    content, lines = _parse(file)
    for section in content:
        if section not in _SECTIONS:
            line = lines.get((str(section),))
            raise UsageError(f"{file}, line {line}: {did_you_mean(str(section), _SECTIONS, 'section')}")
    parsed: dict[str, dict[str, Any]] = {}
    for section, schema in _SECTIONS.items():
        entries = content.get(section) or {}
        if not isinstance(entries, dict):
            raise UsageError(f"{file}: '{section}' is a mapping from id to entry; found {type(entries).__name__}.")
        parsed[section] = {}
        for name, entry in entries.items():
            key = (section, str(name))
            if not isinstance(entry, dict):
                raise UsageError(f"{file}, line {lines.get(key)}: {section}.{name} is a mapping of keys; found {type(entry).__name__}.")
            plain(entry, f"{file}, line {lines.get(key)}: {section}.{name}")
            if "id" in entry:
                raise UsageError(
                    f"{file}, line {lines.get((*key, 'id'))}: {section}.{name}.id: the key of an entry is its id. Delete this line."
                )
            try:
                parsed[section][str(name)] = schema.model_validate({"id": str(name), **entry})
            except ValidationError as error:
                raise explain(error, key, lines, str(file), schema) from None
    return Catalog.model_construct(None, **parsed)


def merge(catalogs: list[tuple[Path, Catalog]]) -> Catalog:
    """Join registries; a name may be defined once only."""
    merged: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
    origin: dict[tuple[str, str], Path] = {}
    for file, catalog in catalogs:
        for section in _SECTIONS:
            for name, entry in getattr(catalog, section).items():
                if (section, name) in origin:
                    raise UsageError(
                        f"{section.removesuffix('s')} '{name}' is defined in {origin[section, name]} and in {file}. Rename one of them."
                    )
                origin[section, name] = file
                merged[section][name] = entry
    catalog = Catalog.model_construct(None, **merged)
    _check_suites(catalog)
    _check_claims(catalog)
    return catalog


def _check_suites(catalog: Catalog) -> None:
    for suite in catalog.suites.values():
        for name in suite.benchmarks:
            if name not in catalog.benchmarks:
                raise UsageError(f"suite '{suite.id}': {did_you_mean(name, catalog.benchmarks, 'benchmark')}")
        lists = [suite.methods] if isinstance(suite.methods, list) else suite.methods.values()
        if isinstance(suite.methods, dict):
            for name in suite.methods:
                known = (*families.names(), *catalog.benchmarks)
                if name not in known:
                    raise UsageError(f"suite '{suite.id}': {did_you_mean(name, known, 'family or benchmark')}")
        for name in (m for methods in lists for m in methods):
            if name not in catalog.methods:
                raise UsageError(f"suite '{suite.id}': {did_you_mean(name, catalog.methods, 'method')}")


def _check_claims(catalog: Catalog) -> None:
    for claim in catalog.claims.values():
        for name in claim.methods:
            if name not in catalog.methods:
                known = (*catalog.methods, *(MEASURES if claim.diagnostic and name == claim.than else ()))
                raise UsageError(f"claim '{claim.id}': {did_you_mean(name, known, 'method')}")
        for name in claim.benchmarks:
            if name not in catalog.benchmarks:
                raise UsageError(f"claim '{claim.id}': {did_you_mean(name, catalog.benchmarks, 'benchmark')}")
            if (family := catalog.benchmarks[name].family) != claim.family:
                raise UsageError(f"claim '{claim.id}': benchmark '{name}' is of the family {family}, the claim of {claim.family}.")
    for entry in catalog.published.values():
        if entry.id not in catalog.benchmarks:
            raise UsageError(f"published '{entry.id}': {did_you_mean(entry.id, catalog.benchmarks, 'benchmark')}")
        for name in entry.methods.values():
            if name not in catalog.methods:
                raise UsageError(f"published '{entry.id}': {did_you_mean(name, catalog.methods, 'method')}")


@cache
def _read(file: Path, _mtime: int) -> Catalog:
    return read_registry(file)


def load_catalog() -> Catalog:
    """Everything that can be run from here: what is shipped and what the current folder adds."""
    files = paths.registry_files()
    for file in files:
        if not file.is_file():
            raise UsageError(f"no registry at {file}. Set HARNESS_REGISTRY to an existing file, or unset it.")
    return merge([(file, _read(file.absolute(), file.stat().st_mtime_ns)) for file in files])
