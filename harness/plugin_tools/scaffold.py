"""Write a new plugin: a working file for its slot, and its registry entry. Imports no torch."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from string import Template

from harness import benchmarks, paths
from harness.catalog import Catalog, load_catalog, read_registry
from harness.catalog.entry import check_id
from harness.catalog.plain import scalar
from harness.catalog.plugins import PluginFile, discover, owners
from harness.errors import UsageError, did_you_mean, writing
from harness.files import whole, write_whole
from harness.slots import SLOTS

TEMPLATES = Path(__file__).parent / "templates"
SHIPPING = ["python -m pytest tests/parity/test_every_method.py", "python docs/make_methods.py"]
"""What tells, and makes, the rest of a method that ships."""


_MEND = "Make room, mend its permissions, or give another --folder."


@dataclass(frozen=True)
class Scaffold:
    """What was written, and what to run next."""

    files: list[Path]
    commands: list[str]


def scaffold(name: str, slot: str, folder: Path | None = None) -> Scaffold:
    """Write ``plugins/NAME.py`` and an entry in ``registry.yaml`` under ``folder`` (the current one by default).

    At the root of a checkout, where that registry is the one that ships, the file goes into the shipped folder of its slot.
    Nothing is overwritten: either both files are as asked for afterwards, or neither has changed.

    Args:
        name: the plugin's and the method's name: lower-case letters, digits, dots and dashes.
        slot: a name of :data:`harness.slots.SLOTS`.

    Raises:
        UsageError: a malformed or taken name, an unknown slot, a registry that cannot be added to.
    """
    folder = folder or Path()
    if slot not in SLOTS:
        raise did_you_mean(slot, SLOTS, "slot")
    try:
        check_id(name)
    except ValueError as error:
        raise UsageError(f"{error}, e.g. my-attention.") from None
    stem = re.sub(r"[.-]", "_", name)
    registry = folder / "registry.yaml"
    catalog, files = load_catalog(), discover()
    owner, ships = owners(files), os.path.realpath(registry) == os.path.realpath(paths.home() / "registry.yaml")
    source = folder / "plugins" / (_shipped_folder(slot, files) if ships else "") / f"{stem}.py"
    for taken, where in ((name in owner, owner.get(name)), (name in catalog.methods, None)):
        if taken:
            raise UsageError(f"'{name}' exists already{f' in {where.path}' if where else ''}. Choose another name.")
    with writing(source, _MEND):
        exists = source.exists()
    if exists:
        raise UsageError(f"{source} exists already. Choose another name, or delete it.")
    before = _read(registry)
    after = with_entry(before, entry(name, slot), registry)
    code = Template((TEMPLATES / f"{slot}.py.txt").read_text(encoding="utf-8")).substitute(
        name=name, title=_title(name), cls=_class_name(stem)
    )
    with _all_or_nothing(source):
        with writing(source, _MEND):
            source.parent.mkdir(parents=True, exist_ok=True)
            write_whole(source, code)
        with writing(registry, _MEND), whole(registry, durable=True) as stream:
            stream.write(after)
            stream.flush()
            _still_reads(Path(stream.name), registry)
    return Scaffold([source, registry], _commands(name, slot, catalog) + (SHIPPING if ships else []))


@contextlib.contextmanager
def _all_or_nothing(source: Path) -> Iterator[None]:
    """Where the block fails, leave no plugin file, and no folder made for it."""
    made = [place for place in source.parents if not place.exists()]
    try:
        yield
    except BaseException:
        for undo in (source.unlink, *(place.rmdir for place in made)):
            with contextlib.suppress(OSError):
                undo()
        raise


def _still_reads(text: Path, registry: Path) -> None:
    """Before ``text`` takes the place of the registry."""
    try:
        read_registry(text)
    except UsageError as error:
        raise UsageError(str(error).replace(str(text), str(registry))) from None


def _shipped_folder(slot: str, files: list[PluginFile]) -> Path:
    """Where the shipped plugins of a slot lie, from ``plugins/``."""
    found = [file.path.parent.name for file in files if file.origin == "shipped" and slot in file.names.values()]
    return Path(paths.plugins().name, found[0] if found else slot)


def entry(name: str, slot: str) -> str:
    """The registry entry of a new method."""
    lines = [f"  {scalar(name)}:", f"    title: {scalar(_title(name))}", f"    slots: {{{slot}: {{plugin: {scalar(name)}}}}}"]
    if slot == "block":
        lines.append("    stands_in: [context]")
    return "\n".join(lines) + "\n"


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()


def with_entry(text: str | None, added: str, file: Path) -> str:
    """``text`` of a registry with an entry at the end of its methods; every other line stays as it is.

    Raises:
        UsageError: ``methods`` is written inline, so that there is no place for a line.
    """
    if text is None:
        return f"# Added to what attention-harness ships. Data, not code: nothing in this file is executed.\n\nmethods:\n{added}"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    start = next((i for i, line in enumerate(lines) if re.match(r"methods\s*:", line)), None)
    if start is None:
        return "".join([*lines, "\n" if lines else "", "methods:\n", added])
    value = lines[start].split(":", 1)[1].split("#")[0].strip()
    if value in ("{}", "null", "~"):
        lines[start] = "methods:\n"
    elif value:
        raise UsageError(f"{file}, line {start + 1}: `methods` is written on one line. Give each method a line of its own, then try again.")
    # the section ends before the next line that begins in the first column; blank lines and comments before it belong to what follows
    end = next((i for i in range(start + 1, len(lines)) if re.match(r"[^\s#]", lines[i])), len(lines))
    while end > start + 1 and re.match(r"\s*$|#", lines[end - 1]):
        end -= 1
    return "".join([*lines[:end], "\n" if end > start + 1 else "", added, *lines[end:]])


def _read(registry: Path) -> str | None:
    if not registry.exists():
        return None
    read_registry(registry)
    return registry.read_text(encoding="utf-8")


def _class_name(stem: str) -> str:
    name = "".join(part.capitalize() for part in stem.split("_"))
    return name if name[0].isalpha() and not iskeyword(name) else f"Plugin{name}"


def _commands(name: str, slot: str, catalog: Catalog) -> list[str]:
    """The contract check, then a run on the first synthetic benchmark of each family that the slot reaches."""
    slots = (slot, "pooling", "context") if slot == "block" else (slot,)
    reached: dict[str, str] = {}
    for bench in catalog.benchmarks.values():
        if bench.tier == "synthetic" and any(s in benchmarks.task(bench).slots for s in slots):
            reached.setdefault(bench.family, bench.id)
    commands = [f"harness plugin check {name}"]
    if reached:
        commands += [f"harness run -m {name} {' '.join(f'-b {b}' for b in reached.values())}", "harness leaderboard"]
    return commands
