"""What a plugin says of itself: the sections of its docstring, its options and what it wraps."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from torch import nn

from harness.catalog import Method
from harness.catalog.documented import Documented
from harness.catalog.documented import documented as catalog_documented
from harness.slots import registry


def documented(cls: type) -> Documented:
    """What a plugin class says of itself, as its source has it."""
    found = catalog_documented(Path(inspect.getfile(cls)), cls.plugin_name)
    assert found is not None
    return found


def markdown(text: str) -> str:
    """reStructuredText's inline marks as Markdown's."""
    text = re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"`\1`", text)
    return text.replace("``", "`")


def cell(text: str) -> str:
    """``text`` for a cell of a table."""
    return " ".join(markdown(text).replace("|", "\\|").split())


def options(cls: type) -> list[str]:
    """The parameters that are the method's own, as rows of a table."""
    return [f"| `{one.name}` | {one.type} | `{one.default}` | {cell(one.meaning)} |" for one in documented(cls).options]


DETECTORS = ("relation", "region_features", "duplicate_removal", "detector")
"""Slots of detectors, whose methods have no place in the small task that the others are drawn after."""


def pictured(method: Method) -> bool:
    """Whether a method has a picture: it has a map that is not uniform, or shapes one, as encodings, losses and masks do."""
    if not method.slots or method.slot in DETECTORS:
        return False
    claim = documented(registry().module_dict[next(iter(method.slots.values())).plugin]).sections["Map"]
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
