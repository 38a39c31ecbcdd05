"""Find plugin files, read their names without running them, and import those that are wanted.

A plugin file comes from the shipped package ``harness_plugins``, from ``plugins/`` in the current folder, from the
entry-point group ``harness.plugins`` (a module per entry point), or from ``--plugin FILE``. Names are read
from the syntax tree, so listing imports no torch; a file that fails to import never breaks the others.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from typing import cast

from harness import paths
from harness.catalog.code import UNPARSABLE
from harness.catalog.parameters import Taken
from harness.catalog.sources import ALONE, PACKAGE, beside, declared, file_digest, installed, module_files, tops
from harness.errors import UsageError
from harness.files import regular

GROUP = "harness.plugins"


@dataclass(frozen=True)
class PluginFile:
    """A source file with zero or more ``@attention_method`` classes."""

    path: Path
    origin: str
    """``shipped``, ``folder``, ``entry point NAME`` or ``--plugin``."""
    module: str
    """The name it is imported under."""
    names: dict[str, str] = field(default_factory=dict, hash=False)
    """Plugin name -> slot, as the decorators say."""
    parameters: dict[str, Taken] = field(default_factory=dict, hash=False)
    """Plugin name -> what its constructor takes, where that is known without importing it."""
    error: str | None = None
    """Why nothing can be loaded from it, as far as that is seen without importing it."""


def _scan(path: Path, origin: str, module: str) -> PluginFile:
    try:
        found = declared(regular(path).read_bytes())
    except (OSError, *UNPARSABLE) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        reason = getattr(error, "msg", None) or getattr(error, "strerror", None) or error
        return PluginFile(path, origin, module, error=f"{type(error).__name__}: {reason}{line}")
    return PluginFile(path, origin, module, dict(found.plugins), dict(found.parameters))


def _external_name(path: Path) -> str:
    # realpath: Path.resolve raises on a link to itself
    return f"{ALONE}{path.stem}_{hashlib.blake2b(os.path.realpath(path).encode(), digest_size=4).hexdigest()}"


def _is_plugin(path: Path) -> bool:
    """Neither a package's own file nor what an editor or notebook keeps hidden."""
    return path.name != "__init__.py" and not any(part.startswith(".") for part in path.parts)


def _points() -> Iterable[EntryPoint]:
    try:
        return entry_points(group=GROUP)
    except Exception:  # one damaged installation among all: the others still count
        found: list[EntryPoint] = []
        for distribution in distributions():
            with contextlib.suppress(Exception):
                found += distribution.entry_points.select(group=GROUP)
        return dict.fromkeys(found)


def _entry_point(point: EntryPoint) -> PluginFile:
    origin = f"entry point {point.name}"
    module = point.value.partition(":")[0].strip()
    found = module_files(module)
    if not found:
        return PluginFile(Path(module), origin, module, error="module not found")
    file = _scan(found[-1], origin, module)
    if file.names or file.error:
        return file
    return replace(file, error="defines no plugin; the entry point has to name the module that holds @attention_method")


def discover(extra: tuple[Path, ...] = (), *, with_shipped: bool = True) -> list[PluginFile]:
    """All plugin files, parsed but not imported.

    Args:
        extra: files given with ``--plugin``.
        with_shipped: also those of the distribution; parsing them takes a while.

    Raises:
        UsageError: a file of ``extra`` does not exist, or two files define the same plugin.
    """
    shipped = paths.plugins()
    files = []
    for path in sorted(shipped.rglob("*.py")) if with_shipped else ():
        if path.name != "__init__.py":
            dotted = ".".join(path.relative_to(shipped).with_suffix("").parts)
            files.append(_scan(path, "shipped", f"{PACKAGE}.{dotted}"))
    for path in sorted(Path("plugins").rglob("*.py")):
        # in a checkout the shipped package lies there too
        if _is_plugin(path.relative_to("plugins")) and not Path(os.path.realpath(path)).is_relative_to(shipped.resolve()):
            files.append(_scan(path, "folder", _external_name(path)))
    files += [_entry_point(point) for point in _points()]
    for path in extra:
        if not path.is_file():
            raise UsageError(f"--plugin {path}: no such file. `harness plugin new NAME --slot SLOT` writes one.")
        if os.path.realpath(path) not in {os.path.realpath(f.path) for f in files}:
            files.append(_scan(path, "--plugin", _external_name(path)))
    owner: dict[str, PluginFile] = {}
    for file in files:
        for name in file.names:
            if name in owner:
                raise UsageError(f"plugin '{name}' is defined in {owner[name].path} and in {file.path}. Rename one of them.")
            owner[name] = file
    return files


def broken(files: list[PluginFile]) -> str:
    """A sentence about the files that cannot be loaded, to be appended to one about a name that is not found."""
    faults = "; ".join(f"{file.path}: {file.error}" for file in files if file.error)
    return f" Plugin files with errors: {faults}." if faults else ""


def owners(files: list[PluginFile]) -> dict[str, PluginFile]:
    """Plugin name -> the file that defines it."""
    return {name: file for file in files for name in file.names}


def load(file: PluginFile) -> None:
    """Import one plugin file (once); its classes register themselves.

    Of a file that is no package's and imports modules beside it the folder is on ``sys.path`` from then on, behind all else: they are
    found, now and when a pass imports them, and none takes the place of an installed one.

    Raises:
        UsageError: the file does not import; the sentence carries the reason.
    """
    if file.error:
        raise UsageError(f"plugin file {file.path} cannot be imported: {file.error}")
    if file.module in sys.modules:
        return
    try:
        if file.origin in ("folder", "--plugin"):
            _find_beside(file)
            spec = cast("ModuleSpec", importlib.util.spec_from_file_location(file.module, file.path))
            module = importlib.util.module_from_spec(spec)
            sys.modules[file.module] = module
            cast("Loader", spec.loader).exec_module(module)
        else:
            importlib.import_module(file.module)
    except BaseException as error:
        sys.modules.pop(file.module, None)
        if isinstance(error, (KeyboardInterrupt, UsageError)):
            raise
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, ImportError) and "no known parent package" in str(error):
            reason += ". The file is no package's: write `from helper import ...` for a helper.py beside it"
        raise UsageError(f"plugin file {file.path} cannot be imported: {reason}") from error


def _find_beside(file: PluginFile) -> None:
    """Put the file's folder on ``sys.path`` if it imports a module beside it.

    Raises:
        UsageError: a module beside it has the name of another one that is imported already, and would not be read.
    """
    folder, helped = os.path.dirname(os.path.abspath(file.path)), False
    for top in tops(file.path):
        found, loaded = beside(file.path, top), getattr(sys.modules.get(top), "__file__", None)
        if found and loaded and not installed(Path(loaded)) and os.path.realpath(loaded) not in map(os.path.realpath, found):
            raise UsageError(
                f"plugin file {file.path} imports '{top}', and another module of that name is imported already: {loaded}. "
                "Rename one of them."
            )
        helped |= bool(found)
    if helped and folder not in sys.path:
        sys.path.append(folder)


def load_plugins(names: set[str], files: list[PluginFile]) -> None:
    """Import the files that define ``names``.

    Raises:
        UsageError: a name that no file defines, or whose file does not import.
    """
    from harness.errors import did_you_mean

    owner = owners(files)
    for name in sorted(names):
        if name not in owner:
            raise UsageError(f"{did_you_mean(name, owner, 'plugin', 'harness list plugins')}{broken(files)}")
        load(owner[name])


def source_digest(name: str, files: list[PluginFile]) -> str:
    """:func:`harness.catalog.sources.file_digest` of the file that defines the plugin ``name``."""
    file = owners(files)[name]
    return file_digest(file.path, file.module)
