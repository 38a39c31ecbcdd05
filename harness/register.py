"""Everything of the harness that OpenMMLab builds by name, for anyone's config (docs/openmmlab.md)::

    custom_imports = dict(imports=["harness.register"])

Importing this module makes the installed toolboxes importable, registers ``Attend``, ``PluginPooling``, ``ContextHead`` and what
configs of ``harness config`` name, and loads all plugins: those shipped, of ``plugins/`` in the current folder, and of other packages.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import warnings

from harness import families, openmmlab
from harness.benchmarks.register import PARTS
from harness.catalog.plugins import discover, load
from harness.errors import UsageError

openmmlab.mend()
for _toolbox in openmmlab.TOOLBOXES:
    if importlib.util.find_spec(_toolbox):
        openmmlab.load(_toolbox)
for _part in (*PARTS, "harness.engine.alone"):
    importlib.import_module(_part)
for _package in families.packages().values():
    with contextlib.suppress(ImportError):  # of a toolbox that is not installed here
        importlib.import_module(f"{_package}.mm")
for _file in discover():
    try:
        load(_file)
    except UsageError as _error:  # one that the config does not name does no harm
        warnings.warn(str(_error), stacklevel=2)
