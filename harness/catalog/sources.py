"""Which source files a plugin's result depends on, and the digest of them. Nothing is imported to find out.

A shipped plugin depends on the shipped plugins it imports; any other on the modules of its own package, on those that lie
outside the standard library and the installed packages, and on what these import in turn; a file that is no package's, on those
beside it, too. Installed packages of others, data files and imports by a call (``importlib``) are not followed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from harness import paths
from harness.catalog.code import UNPARSABLE, code
from harness.catalog.parameters import Taken, taken
from harness.files import regular
from harness.openmmlab import TOOLBOXES

PACKAGE = "harness_plugins"
"""Shipped plugin files are its modules ``harness_plugins.<folder>.<file>``; each package there is a docstring and no code."""

ALONE = "harness_plugin_"
"""How the names of files that are no package's begin: they and what they import find the modules beside them."""

_TOOLBOXES = ("mmcv", *TOOLBOXES)

_LIBRARIES = ("harness", "torch", "torchvision", "mmengine", *_TOOLBOXES, "numpy", "scipy")
"""What every plugin may build on, wherever it is installed; a result's environment has their versions."""

_STANDARD = tuple({os.path.join(os.path.realpath(sysconfig.get_path(name)), "") for name in ("stdlib", "platstdlib")})


@dataclass(frozen=True)
class Declared:
    """What a source says of itself."""

    plugins: dict[str, str]
    """Plugin name -> slot, as the decorators say."""
    parameters: dict[str, Taken]
    """Plugin name -> what its constructor takes, where that is written out in the class itself."""
    imports: tuple[tuple[int, str], ...]
    """(level, dotted name) of each import; level 0 is absolute. Of ``from a import b``, both ``a`` and ``a.b``."""


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements under ``body``, nested ones too; far fewer nodes than ``ast.walk`` visits."""
    for node in body:
        yield node
        for nested in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, nested, ()))


def declaration(node: ast.AST) -> Iterator[tuple[str, str]]:
    """(plugin name, slot) as a class's ``@attention_method`` says; nothing where it has none."""
    for call in getattr(node, "decorator_list", ()):
        if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[0], ast.Constant):
            continue
        callee = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        slot = next((k.value.value for k in call.keywords if k.arg == "slot" and isinstance(k.value, ast.Constant)), None)
        if callee == "attention_method" and slot:
            yield str(call.args[0].value), str(slot)


@lru_cache(maxsize=4096)
def declared(source: bytes) -> Declared:
    """Read once per content, though a plan asks for each of its trials."""
    plugins: dict[str, str] = {}
    parameters: dict[str, Taken] = {}
    imports: dict[tuple[int, str], None] = {}
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.ImportFrom):
            stem = node.module or ""
            imports[node.level, stem] = None
            imports |= {(node.level, f"{stem}.{alias.name}".lstrip(".")): None for alias in node.names}
        elif isinstance(node, ast.Import):
            imports |= {(0, alias.name): None for alias in node.names}
        for name, slot in declaration(node):
            plugins[name] = slot
            if (found := taken(node)) is not None:
                parameters[name] = found
    return Declared(plugins, parameters, tuple(imports))


def module_files(name: str) -> list[Path]:
    """The files that importing ``name`` runs: the ``__init__`` of each package on the way, then its own.

    Empty where there is no such module, or none in Python. Only its topmost package is looked up; none of its code runs.
    """
    top, *rest = name.split(".")
    if not all(part.isidentifier() for part in (top, *rest)):
        return []
    if (spec := _spec(top)) is None:
        return []
    origin, folders = spec.origin, [*(spec.submodule_search_locations or ())]
    found = _existing(Path(origin)) if origin and origin.endswith(".py") else []  # not in a zip
    for part in rest:
        below = [Path(folder, part) for folder in folders]
        files = [file for place in below for file in _existing(place / "__init__.py", place.with_name(f"{part}.py"))]
        folders = [str(place) for place in below if place.is_dir()]
        if not files and not folders:
            return []
        found += files[:1]
    return found


def _spec(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except Exception:  # an installed finder may raise anything; a module made by hand has no specification
        return None


def sources(path: Path, module: str) -> list[Path]:
    """The plugin file and every file its result depends on, as far as they exist.

    Args:
        module: the name it is imported under.
    """
    own = module.split(".")[0]
    todo, seen = [path, *_code_files(module)], set()
    while todo:
        current = todo.pop().absolute()
        if current not in seen:
            seen.add(current)
            todo += _imported(current, own)
    return sorted(seen)


def _code_files(name: str) -> list[Path]:
    """:func:`module_files` without the packages of shipped plugins, which hold no code."""
    found = module_files(name)
    return [file for file in found if file.name != "__init__.py"] if name.split(".")[0] == PACKAGE else found


def _imported(path: Path, own: str) -> Iterator[Path]:
    shipped = path.is_relative_to(paths.plugins())
    for level, name in _imports(path):
        top = name.split(".")[0]
        if top == PACKAGE and not level:
            yield from _code_files(name)
        elif shipped:
            continue
        elif level:
            yield from _relative(path, level, name)
        elif top == own:
            yield from module_files(name)
        elif top not in _LIBRARIES:
            if own.startswith(ALONE):  # by which of both it is found, sys.path decides, and a plugin may change that
                yield from beside(path, name)
            yield from (file for file in module_files(name) if not installed(file))


def _imports(path: Path) -> tuple[tuple[int, str], ...]:
    try:
        return declared(regular(path).read_bytes()).imports
    except (OSError, *UNPARSABLE):
        return ()


def _relative(path: Path, level: int, name: str) -> Iterator[Path]:
    place = path.parents[min(level, len(path.parents)) - 1]
    yield from _existing(place / "__init__.py")
    for part in filter(None, name.split(".")):
        yield from _existing(place / part / "__init__.py", place / f"{part}.py")
        place /= part


def beside(path: Path, name: str) -> list[Path]:
    """The files of a module ``name`` in the folder of ``path``."""
    return [file for file in _relative(path, 1, name) if file != path.parent / "__init__.py"]


def imported(path: Path) -> list[str]:
    """Dotted names that a file imports absolutely; of ``from a import b``, both ``a`` and ``a.b``."""
    return [name for level, name in _imports(path) if not level and name]


def tops(path: Path) -> list[str]:
    """Topmost packages that a file imports."""
    return sorted({name.split(".")[0] for name in imported(path)})


def _existing(*files: Path) -> list[Path]:
    return [file for file in files if file.is_file()]


def installed(file: Path) -> bool:
    """Whether it belongs to Python itself or to an installed package."""
    return not {"site-packages", "dist-packages"}.isdisjoint(file.parts) or os.path.realpath(file).startswith(_STANDARD)


def absent(path: Path) -> list[str]:
    """Topmost packages that a file imports and that are not found."""
    return [top for top in tops(path) if top not in {PACKAGE, *_LIBRARIES} and _spec(top) is None and not beside(path, top)]


def needs_openmmlab(path: Path, module: str) -> bool:
    """Whether one of :func:`sources` imports a toolbox, which takes :func:`harness.openmmlab.setup` first."""
    return any(name.split(".")[0] in _TOOLBOXES for file in sources(path, module) for level, name in _imports(file) if not level)


def file_digest(path: Path, module: str, *, whole: bool = False) -> str:
    """Digest of the code of :func:`sources`. Formatting counts; comments, docstrings and the plugin's own name and place do not.

    Args:
        module: the name it is imported under.
        whole: comments and docstrings count too, which is faster: nothing has to be parsed for them.
    """
    hasher = hashlib.blake2b(digest_size=16)
    main = path.absolute()
    found = [("" if file == main else _dotted(file), file.read_bytes()) for file in sources(path, module)]
    for name, source in sorted(found):
        for part in (name.encode(), source if whole else code(source)):
            hasher.update(len(part).to_bytes(8, "little"))
            hasher.update(part)
    return hasher.hexdigest()


def _dotted(file: Path) -> str:
    """A module's name as its folders tell it; a shipped one's is its last part, as in every digest so far."""
    if file.is_relative_to(paths.plugins()):
        return file.stem
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").is_file():
        parts, folder = [folder.name, *parts], folder.parent
    return ".".join(parts)
