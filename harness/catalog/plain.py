"""YAML as people mean it: numbers and truth values of YAML 1.2, where PyYAML has those of 1.1.

``1e-3`` is a number; ``yes``, ``no``, ``on`` and ``off`` are text, and so is what some readers take for octal (``010``),
sexagesimal (``1:30``) or grouped (``1_000``) numbers: where a number is wanted, text is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml

_FLOAT = r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
_SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    "float": (_FLOAT, "-+.0123456789"),
}
"""Type -> pattern, and the characters that one may begin with."""


def _with_scalars(base: type[Any], name: str) -> type[Any]:
    """A loader or dumper with the scalars of YAML 1.2."""
    tags = {f"tag:yaml.org,2002:{kind}" for kind in _SCALARS}
    kept = {first: [pair for pair in pairs if pair[0] not in tags] for first, pairs in base.yaml_implicit_resolvers.items()}
    made: type[Any] = type(name, (base,), {"yaml_implicit_resolvers": kept})
    for kind, (pattern, first) in _SCALARS.items():
        made.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"^(?:{pattern})$"), list(first))
    return made


Loader: type[Any] = _with_scalars(getattr(yaml, "CSafeLoader", yaml.SafeLoader), "Loader")
"""A safe loader: nothing in what it reads is executed."""

_Dumper = _with_scalars(yaml.SafeDumper, "Dumper")


_DEEPEST = 200
"""Levels; libyaml, which descends by calling itself, ends the process some ten thousand below."""


def not_deep(text: str) -> str:
    """``text``, which is no deeper than any person writes: brackets and indentation, where they say that something is inside.

    Raises:
        ValueError: it is.
    """
    depth = 0
    for bracket in re.findall(r"[][{}]", text):
        depth = max(0, depth + (1 if bracket in "[{" else -1))
        if depth > _DEEPEST:
            break
    if depth > _DEEPEST or re.search(rf"^(?:[ \t]*[-?:](?=\s)|[ \t]){{{_DEEPEST * 8}}}", text, re.MULTILINE):
        raise ValueError(f"more than {_DEEPEST} levels, one in the other")
    return text


_MOST_NODES = 10_000
"""Of one value; more are aliases that multiply each other."""


def read(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: it is none, a mapping has a key twice, or its aliases stand for thousands of values.
    """
    loader = Loader(not_deep(text))
    node = loader.get_single_node()
    if node is None:
        return None
    count, todo = 0, [node]
    while todo:
        current, count = todo.pop(), count + 1
        if count > _MOST_NODES:
            raise ValueError(f"more than {_MOST_NODES} values; write them out without nested aliases")
        if isinstance(current, yaml.MappingNode):
            keys = Counter(key.value for key, _ in current.value if isinstance(key, yaml.ScalarNode))
            if twice := [key for key, times in keys.items() if times > 1]:
                raise ValueError(f"'{twice[0]}' is given twice; delete one")
            todo += [part for pair in current.value for part in pair]
        elif isinstance(current, yaml.SequenceNode):
            todo += current.value
    return loader.construct_document(node)


def scalar(text: str) -> str:
    """``text`` as YAML, quoted where it would be a number, a date or a truth value, for readers of YAML 1.1 too."""
    quoted = [yaml.dump([text], Dumper=dumper, default_flow_style=True, width=1000).strip()[1:-1] for dumper in (yaml.SafeDumper, _Dumper)]
    return next((one for one in quoted if one != text), text)
