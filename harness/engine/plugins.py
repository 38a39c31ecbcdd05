"""Load the plugins of one trial in the trial's own process, and see to it that their import changes nothing but the registry.

What does no harm to a result (a print, a thread, random numbers drawn) stays in this process.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterable
from typing import Any

from harness.catalog.plugins import PluginFile, load, owners
from harness.catalog.sources import imported, sources
from harness.engine.untouched import WHOLE, unchanged, watch
from harness.errors import UsageError


def _first(file: PluginFile) -> None:
    """Import what a file takes of the packages that it must leave as they are: what is not here yet cannot be seen to change."""
    for path in sources(file.path, file.module):
        for name in imported(path):
            if name.partition(".")[0] in WHOLE and name not in sys.modules:
                with contextlib.suppress(Exception):  # its own import says it better; and this may be no module but what one holds
                    importlib.import_module(name)


def load_for(names: Iterable[str], files: list[PluginFile], dead: dict[Any, str]) -> None:
    """Import the files behind some plugins.

    Args:
        dead: files that must not be imported, and why.

    Raises:
        UsageError: a file cannot be imported, or changes what it must not.
    """
    owner = owners(files)
    for file in dict.fromkeys(owner[name] for name in names if name in owner):
        if file.path in dead:
            raise UsageError(dead[file.path])
        if file.origin == "shipped":
            load(file)
        else:
            _first(file)
            with unchanged(f"plugin file {file.path}"):
                load(file)


def load_alone(names: Iterable[str], files: list[PluginFile]) -> None:
    """:func:`load_for` in a process that has nothing imported yet: the OpenMMLab stack first; then :func:`watch` them.

    Raises:
        UsageError: as there.
    """
    from harness.benchmarks import register
    from harness.catalog.verify import deadly

    dead = deadly(files)
    register.setup()
    load_for(names, files, dead)
    watch(names, files)
