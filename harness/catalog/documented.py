"""What a plugin says of itself: the sections of its docstring, and its options. Read from its source; nothing is imported."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.catalog.code import UNPARSABLE
from harness.catalog.parameters import Taken
from harness.catalog.sources import PACKAGE, declaration, module_files
from harness.marks import TRAINING
from harness.slots import SLOTS

SECTIONS = ("Formula", "Shapes", "Parameters", "Map", "Source")
"""What the docstring of every shipped plugin says of itself; ``Args`` may be inherited."""


@dataclass(frozen=True)
class Option:
    """A parameter of a plugin's constructor that is the method's own."""

    name: str
    type: str
    """``int or null``, ``list of int``, or its values in backticks."""
    default: str
    """As JSON, text without quotes; an expression as it is written; empty where it has to be given."""
    meaning: str


@dataclass(frozen=True)
class Documented:
    """What a plugin class says of itself."""

    text: str
    """The docstring above its sections."""
    sections: Mapping[str, str]
    """Title -> text, of the class's own docstring."""
    arguments: Mapping[str, str]
    """Parameter -> what ``Args`` says of it, here or in the plugin class it derives from."""
    options: tuple[Option, ...]


def sections(text: str) -> tuple[str, dict[str, str]]:
    """A docstring's free text, and its sections by title; a section's lines are indented below ``Title:``."""
    parts = re.split(r"^([A-Z][a-z]+):\n(?=[ ]{4})", inspect.cleandoc(text), flags=re.M)
    return parts[0].strip(), {title: inspect.cleandoc("\n" + body) for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def plain(text: str) -> str:
    """Without the marks of reStructuredText: and Markdown: what roles, backticks and stars hold."""
    text = re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"\1", text)
    return re.sub(r"(``|`|\*\*)(.+?)\1", r"\2", text, flags=re.S)


def documented(file: Path, plugin: str, parameters: Taken | None = None) -> Documented | None:
    """What the class that ``file`` registers as ``plugin`` says; ``None`` where the file cannot be read or has no such class.

    Args:
        parameters: what its constructor takes, see :attr:`PluginFile.parameters`; of these come the options of
            :data:`harness.marks.TRAINING`.
    """
    try:
        module = _Module(file)
    except (OSError, *UNPARSABLE):
        return None
    for node in module.classes.values():
        if (found := next(declaration(node), None)) and found[0] == plugin:
            chain = [*_chain(module, node)]
            text, own = sections(ast.get_docstring(node) or "")
            arguments = {name: meaning for part in chain for name, meaning in _arguments(part[1])}
            given = SLOTS[found[1]].given if found[1] in SLOTS else ()
            taken = [option for option in _constructor(chain, arguments) if option.name not in given]
            shared = [name for name in TRAINING if name in (parameters or {}) and name not in {option.name for option in taken}]
            options = (*taken, *(Option(name, "float", "1.0", TRAINING[name]) for name in shared))
            return Documented(text, own, arguments, options)
    return None


class _Module:
    """A source file's classes, aliases of types and imports, by the names they have in it."""

    def __init__(self, file: Path) -> None:
        tree = ast.parse(file.read_bytes())
        self.classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        self.aliases = {
            node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        self.imports = {
            alias.asname or alias.name: node.module or ""
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and not node.level
            for alias in node.names
        }


_Part = tuple[_Module, ast.ClassDef]


def _chain(module: _Module, node: ast.ClassDef) -> Iterator[_Part]:
    """The plugin classes that a class derives from, the first ancestor first, then the class itself."""
    for base in reversed(node.bases):
        name = getattr(base, "id", "")
        if name in module.classes and module.classes[name] is not node:
            yield from _chain(module, module.classes[name])
        elif module.imports.get(name, "").startswith(f"{PACKAGE}."):
            there = _Module(module_files(module.imports[name])[-1])
            if name in there.classes:
                yield from _chain(there, there.classes[name])
    yield module, node


def _arguments(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    text = sections(ast.get_docstring(node) or "")[1].get("Args", "")
    for names, meaning in re.findall(r"^([\w, ]+): (.*(?:\n[ ]+.*)*)", text, flags=re.M):
        if not meaning.startswith("see :class:"):
            yield from ((name, " ".join(meaning.split())) for name in names.split(", "))


def _constructor(chain: list[_Part], arguments: Mapping[str, str]) -> list[Option]:
    """The parameters of the last constructor that is written out, and before it the fields of dataclasses."""
    found: dict[str, Option] = {}
    for module, node in chain:
        inits = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        if inits:
            taken = inits[-1].args
            by_place = [*taken.posonlyargs, *taken.args]
            defaults = [*[None] * (len(by_place) - len(taken.defaults)), *taken.defaults, *taken.kw_defaults]
            every = [(one.arg, one.annotation, default) for one, default in zip([*by_place, *taken.kwonlyargs], defaults, strict=True)][1:]
            found = {}
        elif any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
            every = [(item.target.id, item.annotation, item.value) for item in fields if isinstance(item.target, ast.Name)]
        else:
            continue
        for name, annotation, default in every:
            found[name] = Option(name, _type(annotation, module), _default(default), arguments.get(name, ""))
    return [*found.values()]


def _type(node: ast.AST | None, module: _Module) -> str:
    if isinstance(node, ast.BinOp):
        return f"{_type(node.left, module)} or {_type(node.right, module)}"
    if isinstance(node, ast.Name) and node.id in module.aliases:
        return _type(module.aliases[node.id], module)
    if isinstance(node, ast.Constant) and node.value is None:
        return "null"
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        name = getattr(node.value, "id", "")
        if name == "Literal":
            return " or ".join(f"`{part.value}`" for part in inner if isinstance(part, ast.Constant) and not isinstance(part.value, bytes))
        if name == "Sequence":
            return f"list of {_type(inner[0], module)}"
    return ast.unparse(node) if node is not None else ""


def _default(node: ast.AST | None) -> str:
    if node is None:
        return ""
    try:
        value = ast.literal_eval(ast.unparse(node))
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError):  # an expression
        return ast.unparse(node)
