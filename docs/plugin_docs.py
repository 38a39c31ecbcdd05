"""What a plugin says of itself: the sections of its docstring, its options and what it wraps."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from torch import nn

from harness.catalog import Method
from harness.catalog.sources import PACKAGE
from harness.slots import SLOTS, registry

SECTIONS = ("Formula", "Shapes", "Parameters", "Map", "Source")
"""What the docstring of every plugin says of itself; ``Args`` may be inherited."""


def sections(text: str) -> tuple[str, dict[str, str]]:
    """A docstring's free text, and its sections by title; a section's lines are indented below ``Title:``."""
    parts = re.split(r"^([A-Z][a-z]+):\n(?=[ ]{4})", inspect.cleandoc(text), flags=re.M)
    return parts[0].strip(), {title: inspect.cleandoc("\n" + body) for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def documented(cls: type) -> tuple[str, dict[str, str]]:
    """Free text and sections of a plugin class's own docstring."""
    return sections(cls.__dict__.get("__doc__") or "")


def arguments(cls: type) -> dict[str, str]:
    """What ``Args`` says of each parameter, those of the plugin classes it derives from included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith(PACKAGE):
            text = documented(base)[1].get("Args", "")
            for names, meaning in re.findall(r"^([\w, ]+): (.*(?:\n[ ]+.*)*)", text, flags=re.M):
                for name in names.split(", "):
                    if not meaning.startswith("see :class:"):
                        found[name] = " ".join(meaning.split())
    return found


def markdown(text: str) -> str:
    """reStructuredText's inline marks as Markdown's."""
    text = re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"`\1`", text)
    return text.replace("``", "`")


def cell(text: str) -> str:
    """``text`` for a cell of a table."""
    return " ".join(markdown(text).replace("|", "\\|").split())


def _type(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_type(part) for part in get_args(hint))
    if hint is type(None):
        return "null"
    if get_origin(hint) is Sequence:
        return f"list of {_type(get_args(hint)[0])}"
    return hint.__name__


def options(cls: type, slot: str) -> list[str]:
    """The parameters that are the method's own, as rows of a table."""
    hints, meanings = get_type_hints(cls.__init__), arguments(cls)
    given = SLOTS[slot].given
    rows = []
    for name, parameter in inspect.signature(cls).parameters.items():
        if name not in given:
            default = parameter.default if isinstance(parameter.default, str) else json.dumps(parameter.default)
            rows.append(f"| `{name}` | {_type(hints[name])} | `{default}` | {cell(meanings[name])} |")
    return rows


def pictured(method: Method) -> bool:
    """Whether a method has a picture: it has a map that is not uniform, or shapes one, as encodings, losses and masks do."""
    if not method.slots:
        return False
    claim = documented(registry().module_dict[next(iter(method.slots.values())).plugin])[1]["Map"]
    return method.slot in ("position_encoding", "attention_loss", "masking") or not claim.startswith(("None", "Uniform"))


def wrapped(module: nn.Module) -> Iterator[str]:
    """The OpenMMLab classes that a module is made of, its bricks aside."""
    for base in type(module).__mro__:
        toolbox = base.__module__.partition(".")[0]
        if toolbox in ("mmcv", "mmdet", "mmpose", "mmpretrain", "mmseg") and base.__name__ not in ("ConvModule", "Scale"):
            yield f"{toolbox}.{base.__name__}"
            return
    for child in module.children():
        yield from wrapped(child)
