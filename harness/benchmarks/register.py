"""The OpenMMLab stack with every mmengine class of ours registered in it."""

from __future__ import annotations

import importlib
from functools import cache

from harness import families, openmmlab
from harness.garbage import importing

_PARTS = ("attend", "autocast", "batches", "cifar_resnet", "foreign", "marked", "pooling", "read", "remember")
PARTS = tuple(f"harness.benchmarks.parts.{name}" for name in _PARTS)
"""Modules whose classes all families share."""


@cache
def setup() -> None:
    """Import the OpenMMLab stack, then the shared parts and the ``mm`` of every family.

    Takes 10 to 15 s the first time in a process (OpenMMLab's own imports), nothing afterwards.

    Raises:
        ImportError: a toolbox is not installed; ``harness doctor`` says which and how to mend it.
    """
    with importing():
        openmmlab.setup()
        for part in PARTS:
            importlib.import_module(part)
        for package in families.packages().values():
            try:
                importlib.import_module(f"{package}.mm")
            except ModuleNotFoundError as error:
                if error.name is None or error.name.partition(".")[0] not in openmmlab.TOOLBOXES:
                    raise  # a toolbox that is not here is missed when a benchmark of the family is run
