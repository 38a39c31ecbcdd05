"""What a plugin's constructor takes, as its source says: names, and the plain types that annotations and defaults tell."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from harness.marks import TRAINING

_TYPES = {"int": int, "float": float, "bool": bool, "str": str, "list": list, "dict": dict, "None": type(None)}
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list, [3, 5]",
    "dict": "a mapping, {a: 1}",
    "None": "null",
}
_DISPLAYS = {ast.Tuple: "list", ast.List: "list", ast.Dict: "dict"}


@dataclass(frozen=True)
class Accepted:
    """Values of one parameter."""

    types: tuple[str, ...]
    """Of ``int``, ``float``, ``bool``, ``str``, ``list``, ``dict`` and ``None``; a whole number is a ``float``, too."""
    values: tuple[Any, ...] = ()
    """Single values besides."""

    def takes(self, value: Any) -> bool:
        """Whether ``value`` is one of them; 1 is not ``True``."""
        plain = any(type(value) is _TYPES[name] for name in self.types) or (type(value) is int and "float" in self.types)
        return plain or any(type(value) is type(one) and value == one for one in self.values)

    @property
    def words(self) -> str:
        """For people: ``a number, auto or null``."""
        known = [_WORDS[name] for name in self.types if name != "None" and not (name == "int" and "float" in self.types)]
        names = [*known, *(str(value) for value in self.values), *(["null"] if "None" in self.types else [])]
        return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


Taken = dict[str, Accepted | None]
"""Parameter -> what it accepts; ``None`` where the source does not tell."""


def taken(node: ast.AST) -> Taken | None:
    """What a class's constructor takes, and the options that a class with a ``query_key`` of its own has besides.

    ``None`` where the constructor is inherited, takes anything, or may be another decorator's.
    """
    functions = [item for item in getattr(node, "body", ()) if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
    if not isinstance(node, ast.ClassDef) or len(node.decorator_list) > 1 or not functions or functions[-1].args.kwarg:
        return None
    arguments = functions[-1].args
    by_place = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(by_place) - len(arguments.defaults)), *arguments.defaults, *arguments.kw_defaults]
    found = {one.arg: _accepted(one.annotation, default) for one, default in zip([*by_place, *arguments.kwonlyargs], defaults, strict=True)}
    own: Taken = dict([*found.items()][1:])
    marked = any("query_key" in (getattr(part, "id", ""), getattr(part, "attr", "")) for part in ast.walk(node))
    return own | {name: Accepted(("int", "float")) for name in TRAINING if marked and name not in own}


def _accepted(annotation: ast.AST | None, default: ast.AST | None) -> Accepted | None:
    found = _annotated(annotation) if annotation is not None else _like(default)
    if found is not None and isinstance(default, ast.Constant) and default.value is None and "None" not in found.types:
        return Accepted((*found.types, "None"), found.values)
    return found


def _like(default: ast.AST | None) -> Accepted | None:
    """What may stand for a default; a single number also for several, as for the sizes of torch's layers."""
    if (kind := _DISPLAYS.get(type(default))) is not None:
        inner = [_like(one) for one in getattr(default, "elts", ())]
        numbers = bool(inner) and all(one is not None and "float" in one.types for one in inner)
        return Accepted((kind, "int", "float") if numbers else (kind,))
    if isinstance(default, ast.UnaryOp):  # a sign
        default = default.operand
    if not isinstance(default, ast.Constant) or type(default.value) not in (bool, int, float, str):
        return None
    name = type(default.value).__name__
    return Accepted(("int", "float") if name in ("int", "float") else (name,))


def _annotated(node: ast.AST) -> Accepted | None:
    """Of a union of plain types and literals; ``None`` for any other annotation."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = _annotated(node.left), _annotated(node.right)
        return left and right and Accepted(left.types + right.types, left.values + right.values)
    if isinstance(node, ast.Name) and node.id in _TYPES:
        return Accepted((node.id,))
    if isinstance(node, ast.Constant) and node.value is None:
        return Accepted(("None",))
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal":
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        values = tuple(part.value for part in parts if isinstance(part, ast.Constant))
        if len(values) == len(parts):
            return Accepted((), values)
    return None
