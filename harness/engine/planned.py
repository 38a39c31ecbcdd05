"""A trial counts only for the code that it was planned with: its plugins, and the modules that a config imports."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog.plugins import owners
from harness.catalog.sources import file_digest, module_files, sources
from harness.errors import TrialError
from harness.openmmlab import TOOLBOXES

if TYPE_CHECKING:
    from harness.catalog.plugins import PluginFile
    from harness.compose import Trial


def check(trial: Trial, files: list[PluginFile]) -> None:
    """Look whether a trial's code still is what it was planned with.

    Raises:
        TrialError: it is not; names the file.
    """
    for what, planned, path, module in _code(trial, files):
        try:
            same = file_digest(path, module) == planned
        except OSError:
            same = False
        if not same:
            raise TrialError(
                f"the code of {what} ({path}, or what that imports) was edited after the run was planned, and results of two codes "
                "would count as one. Start the run again"
            )


def all_read(trial: Trial, files: list[PluginFile]) -> bool:
    """Whether each file of a trial's code has been imported, so that an edit from now on changes nothing in this process."""
    needed = {path for _, _, file, module in _code(trial, files) for path in sources(file, module)}
    names = {path.name for path in needed}  # to ask the disk about thousands of other modules takes long
    imported = [getattr(module, "__file__", None) or "" for module in [*sys.modules.values()]]
    return {*map(os.path.realpath, needed)} <= {os.path.realpath(file) for file in imported if os.path.basename(file) in names}


def _code(trial: Trial, files: list[PluginFile]) -> Iterator[tuple[str, str, Path, str]]:
    """What each piece is, the digest of the plan, its file and the name it is imported under."""
    owner = owners(files)
    for name, digest in trial.plugins.items():
        if name in owner:
            yield f"plugin '{name}'", digest, owner[name].path, owner[name].module
    for name, digest in trial.config.get("code", {}).items():
        if name.partition(".")[0] not in TOOLBOXES and (found := module_files(name)):  # a toolbox is known by its version
            yield f"module '{name}'", digest, found[-1], name
