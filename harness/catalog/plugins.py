"""Find plugin files, read their names without running them, and import those that are wanted.

A plugin file comes from the shipped ``plugins/`` folder, from ``plugins/`` in the current folder, from the
entry-point group ``harness.plugins`` (a module per entry point), or from ``--plugin FILE``. Names are read
from the syntax tree, so listing imports no torch; a file that fails to import never breaks the others.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path

from harness import paths
from harness.catalog.code import UNPARSABLE, code
from harness.errors import UsageError

PACKAGE = "harness_plugins"
"""Shipped plugin files are imported as ``harness_plugins.<folder>.<file>`` and may import each other so."""

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
    error: str | None = None
    """Why the file could not be parsed."""


def _statements(body: list[ast.AST]) -> Iterator[ast.AST]:
    """All statements under ``body``, nested ones too; far fewer nodes than ``ast.walk`` visits."""
    for node in body:
        yield node
        for nested in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, nested, ()))


@lru_cache(maxsize=256)
def _declared(source: bytes) -> tuple[dict[str, str], frozenset[str]]:
    """What a source says of itself: its plugins' slots by name, and what it imports from the shipped plugins.

    Read once per content, though a plan asks for each of its trials.
    """
    names, modules = {}, set()
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        for call in getattr(node, "decorator_list", ()):
            if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[0], ast.Constant):
                continue
            callee = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            slot = next((k.value.value for k in call.keywords if k.arg == "slot" and isinstance(k.value, ast.Constant)), None)
            if callee == "attention_method" and slot:
                names[str(call.args[0].value)] = str(slot)
    return names, frozenset(module for module in modules if module.startswith(PACKAGE + "."))


def _scan(path: Path, origin: str, module: str) -> PluginFile:
    try:
        names, _ = _declared(path.read_bytes())
    except (OSError, *UNPARSABLE) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        reason = getattr(error, "msg", None) or getattr(error, "strerror", None) or error
        return PluginFile(path, origin, module, {}, f"{type(error).__name__}: {reason}{line}")
    return PluginFile(path, origin, module, dict(names))


def _external_name(path: Path) -> str:
    return f"harness_plugin_{path.stem}_{hashlib.blake2b(str(path.resolve()).encode(), digest_size=4).hexdigest()}"


def discover(extra: tuple[Path, ...] = (), *, with_shipped: bool = True) -> list[PluginFile]:
    """All plugin files, parsed but not imported.

    Args:
        extra: files given with ``--plugin``.
        with_shipped: also those of the distribution; parsing them takes a while.

    Raises:
        UsageError: a file of ``extra`` does not exist, or two files define the same plugin.
    """
    shipped = paths.home() / "plugins"
    files = []
    for path in sorted(shipped.rglob("*.py")) if with_shipped else ():
        if path.name != "__init__.py":
            dotted = ".".join(path.relative_to(shipped).with_suffix("").parts)
            files.append(_scan(path, "shipped", f"{PACKAGE}.{dotted}"))
    local = Path("plugins")
    if local.is_dir() and local.resolve() != shipped.resolve():
        files += [_scan(p, "folder", _external_name(p)) for p in sorted(local.rglob("*.py")) if p.name != "__init__.py"]
    for point in entry_points(group=GROUP):
        spec = None
        try:
            with contextlib.redirect_stdout(sys.stderr):  # a print must not get into JSON
                spec = importlib.util.find_spec(point.module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # finding a submodule runs the code of its package, which may raise SystemExit
            files.append(PluginFile(Path(point.value), f"entry point {point.name}", point.value, {}, f"{type(error).__name__}: {error}"))
            continue
        if spec is None or not spec.origin:
            files.append(PluginFile(Path(point.value), f"entry point {point.name}", point.value, {}, "module not found"))
        else:
            files.append(_scan(Path(spec.origin), f"entry point {point.name}", point.module))
    for path in extra:
        if not path.is_file():
            raise UsageError(f"--plugin {path}: no such file. `harness plugin new NAME --slot SLOT` writes one.")
        if path.resolve() not in {f.path.resolve() for f in files}:
            files.append(_scan(path, "--plugin", _external_name(path)))
    owner: dict[str, PluginFile] = {}
    for file in files:
        for name in file.names:
            if name in owner:
                raise UsageError(f"plugin '{name}' is defined in {owner[name].path} and in {file.path}. Rename one of them.")
            owner[name] = file
    return files


def owners(files: list[PluginFile]) -> dict[str, PluginFile]:
    """Plugin name -> the file that defines it."""
    return {name: file for file in files for name in file.names}


def _package() -> None:
    if PACKAGE not in sys.modules:
        package = types.ModuleType(PACKAGE)
        package.__path__ = [str(paths.home() / "plugins")]
        sys.modules[PACKAGE] = package


def load(file: PluginFile) -> None:
    """Import one plugin file (once); its classes register themselves.

    Raises:
        UsageError: the file does not import; the sentence carries the reason.
    """
    if file.module in sys.modules:
        return
    if file.error:
        raise UsageError(f"plugin file {file.path} cannot be imported: {file.error}")
    _package()
    try:
        if file.origin in ("folder", "--plugin"):
            spec = importlib.util.spec_from_file_location(file.module, file.path)
            module = importlib.util.module_from_spec(spec)
            sys.modules[file.module] = module
            spec.loader.exec_module(module)
        else:
            importlib.import_module(file.module)
    except BaseException as error:
        sys.modules.pop(file.module, None)
        if isinstance(error, KeyboardInterrupt):
            raise
        raise UsageError(f"plugin file {file.path} cannot be imported: {type(error).__name__}: {error}") from error


def load_plugins(names: set[str], files: list[PluginFile]) -> None:
    """Import the files that define ``names``.

    Raises:
        UsageError: a name that no file defines, or whose file does not import.
    """
    from harness.errors import did_you_mean

    owner = owners(files)
    for name in sorted(names):
        if name not in owner:
            broken = [str(f.path) for f in files if f.error]
            hint = f" Files that do not parse: {', '.join(broken)}." if broken else ""
            raise UsageError(f"{did_you_mean(name, owner, 'plugin', 'harness list plugins')}{hint}")
        load(owner[name])


def _imports(path: Path) -> set[Path]:
    """Other shipped plugin files that a plugin file imports."""
    root = paths.home() / "plugins"
    try:
        _, modules = _declared(path.read_bytes())
    except UNPARSABLE:
        return set()
    candidates = (root.joinpath(*module.split(".")[1:]).with_suffix(".py") for module in modules)
    return {candidate for candidate in candidates if candidate.is_file()}


def file_digest(path: Path, *, whole: bool = False) -> str:
    """Digest of the code of a plugin file and of the plugin files it imports.

    Formatting counts; comments, docstrings and location do not.

    Args:
        whole: comments and docstrings count too, which is faster: nothing has to be parsed for them.
    """
    todo, seen = [path], set()
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo += _imports(current)
    hasher = hashlib.blake2b(digest_size=16)
    for content in sorted(file.read_bytes() if whole else code(file.read_bytes()) for file in seen):
        hasher.update(len(content).to_bytes(8, "little"))
        hasher.update(content)
    return hasher.hexdigest()


def source_digest(name: str, files: list[PluginFile]) -> str:
    """:func:`file_digest` of the file that defines the plugin ``name``."""
    return file_digest(owners(files)[name].path)
