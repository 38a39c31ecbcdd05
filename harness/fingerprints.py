"""A dataset's identity: the files that a benchmark reads from it, by content.

What lies beside them (notes, lists for other benchmarks, caches of thumbnails) does not count. A fingerprint is remembered in the
cache together with size and times of every file below the folder, so that it is taken again only when one of these has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from harness import digests, images, paths
from harness.benchmarks import Task, inside
from harness.benchmarks.base import Listing
from harness.errors import DataError
from harness.files import write_whole

_VERSION = 1
"""Of what is remembered: raised when the same files get another fingerprint."""

_WHOLE = 1 << 30
"""Bytes: files that together have more are read at both ends only."""

_KEPT_BY = {".git", ".hg", ".svn", ".DS_Store"}
"""Of version control and the desktop; any other hidden file may be one that a reader reads."""

_END = 1 << 16
"""Bytes of such an end."""


def of_folder(task: Task, folder: Path) -> str:
    """The fingerprint of what ``task`` reads from ``folder``: names, sizes and contents.

    Of files that together have more than 1 GiB, the first and last 64 KiB of each count, which is all of most images.

    Raises:
        DataError: a file cannot be read, or is none.
        UsageError: the format's reader cannot be imported.
    """
    folder = folder.absolute()
    memory = paths.cache_dir() / "fingerprints" / f"{_key(task, folder)}.json"
    known = _remembered(memory)
    places = [folder, *map(Path, inside.named_absolutely(task.data.model_dump(mode="json", exclude={"root"})))]
    if known and known["tree"] == tree([*places, *map(Path, known["outside"])]):
        return str(known["fingerprint"])
    before = tree(places)
    found = task.listing(folder)
    files = _files(task, folder, found)
    fatal = [problem.sentences for problem in found.problems if problem.fatal]
    fingerprint = _of_files(files, fatal)
    # what changed meanwhile, or cannot be used yet, is looked at again
    if not fatal and tree(places) == before:
        outside = sorted(str(file) for name, file in files.items() if os.path.isabs(name))
        places = [*places, *map(Path, outside)]
        told = tree(places)
        content = {"tree": told, "outside": outside, "fingerprint": fingerprint}
        _LISTED[_key(task, folder)] = places, told, found
        with contextlib.suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_whole(memory, json.dumps(content))
    return fingerprint


def listing(task: Task, folder: Path) -> Listing[Any]:
    """What the task's reader finds in ``folder``: once, what :func:`of_folder` listed, if no file has changed since.

    Raises:
        DataError: something there cannot be read to an end.
    """
    tree([folder])
    latest = _LISTED.pop(_key(task, folder.absolute()), None)
    return latest[2] if latest and tree(latest[0]) == latest[1] else task.listing(folder)


_LISTED: dict[str, tuple[list[Path], str, Listing[Any]]] = {}
"""What fingerprints were taken from, with the places that were read and their :func:`tree`: listing may take half a minute."""


def _key(task: Task, folder: Path) -> str:
    """What a remembered fingerprint depends on besides the files: the options, and the code that reads them."""
    reader = Path(sys.modules[task.format.read.__module__].__file__ or "")
    code = [*sorted(reader.parent.glob("*.py")), Path(images.__file__)]
    told = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in code]
    options = task.data.model_dump(mode="json", exclude={"root"})
    return digests.digest_of([_VERSION, os.path.realpath(folder), task.family.name, options, told])


def _remembered(memory: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(memory.read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError):
        return {}


def tree(places: Iterable[Path]) -> str:
    """Digest of the names, sizes and times of all files at and below some places.

    Raises:
        DataError: one is a pipe or a device: whoever opens it may wait, or read, for ever.
    """
    hasher = hashlib.blake2b(digest_size=12)
    for place in dict.fromkeys(places):
        told = []
        for name, file in sorted(_walk(place)):
            kind = stat.S_IFMT(file.st_mode)
            if kind in _ENDLESS:
                raise DataError(f"{place}{name} is a {_ENDLESS[kind]}, not a file. Delete it.")
            # a file that is replaced by one of the same size and time of change still has another inode or time of its entry
            told.append(f"{place}\0{name}\0{file.st_size}\0{file.st_mtime_ns}\0{file.st_ctime_ns}\0{file.st_ino}\0")
        hasher.update(os.fsencode("".join(told)))
    return hasher.hexdigest()


_ENDLESS = {stat.S_IFIFO: "pipe", stat.S_IFCHR: "device"}


def _walk(place: Path) -> Iterator[tuple[str, os.stat_result]]:
    """(name, status) of each file; links are followed, and a folder that is reached twice is listed once, where it comes first."""
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[str, Path | os.DirEntry[str]]] = [("", place)]
    while waiting:  # each trial walks through its data twice
        name, at = waiting.pop()
        try:
            status = at.stat()
            if not stat.S_ISDIR(status.st_mode):
                yield name, status
            elif (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                with os.scandir(at) as entries:
                    waiting += sorted(((f"{name}/{entry.name}", entry) for entry in entries), key=itemgetter(0), reverse=True)
        except OSError:  # a link to nowhere or itself, a folder that may not be read: what needs it will say so
            continue


def _files(task: Task, folder: Path, listing: Listing[Any]) -> dict[str, Path]:
    """Name -> file of all that is read: relative to the folder where it lies below it, else absolute."""
    files = listing.read()
    if not listing.sources and not task.format.read.__module__.startswith("harness.benchmarks."):
        # a reader of another package that does not name its sources
        files += [folder / name[1:] for name, _ in _walk(folder) if not _KEPT_BY.intersection(name.split("/"))]
    return {file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file.absolute()): file for file in files}


def _of_files(files: dict[str, Path], problems: list[str]) -> str:
    sizes = {name: file.stat().st_size for name, file in files.items() if file.is_file()}
    whole = sum(sizes.values()) <= _WHOLE
    hasher = hashlib.blake2b(digest_size=12)
    for name in sorted(files):
        hasher.update(f"{name}\0{sizes.get(name, 'missing')}\0".encode("utf-8", "surrogateescape"))
        if name in sizes:
            hasher.update(_content(files[name], sizes[name], whole))
    for problem in problems:
        hasher.update(problem.encode("utf-8", "surrogateescape"))
    return hasher.hexdigest()


def _content(file: Path, size: int, whole: bool) -> bytes:
    try:
        if whole or size <= 2 * _END:
            return digests.content(file)
        with file.open("rb") as stream:
            ends = stream.read(_END)
            stream.seek(-_END, os.SEEK_END)
            return hashlib.blake2b(ends + stream.read()).digest()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}. Mend its permissions or delete it.") from error
