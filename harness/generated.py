"""Generated data: written once, whole, and believed as long as every file is what was written.

A folder of generated data has a hidden list of its files and their digests. As with fingerprints, files are read again only when
one of the names, sizes or times has changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from harness import digests, paths
from harness.benchmarks import Task
from harness.files import write_whole
from harness.fingerprints import tree

MANIFEST = ".manifest.json"
"""Name of the list; hidden, so that readers pass it over."""


def is_sound(folder: Path) -> bool:
    """Whether ``folder`` holds what was generated into it, all of it and nothing else."""
    try:
        written = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        memory, now = paths.cache_dir() / "checked" / f"{folder.name}.tree", tree([folder])
        with contextlib.suppress(OSError):
            if memory.read_text(encoding="utf-8") == now:
                return True
        if _contents(folder) != written:
            return False
    except (OSError, ValueError):
        return False
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_whole(memory, now)
    return True


def digest(folder: Path) -> str:
    """What sound data are known by: names and contents of all files."""
    return digests.content(folder / MANIFEST).hex()[:24]


def write(task: Task, folder: Path) -> None:
    """Generate the data of ``task`` into ``folder``, which appears whole or not at all; what is damaged there is replaced.

    Safe to call from several processes. What a killed one left half-done is removed.

    Raises:
        OSError: it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    with _beside(folder) as partial:
        task.generate(partial)
        written = _contents(partial)
        write_whole(partial / MANIFEST, json.dumps(written))
        if folder.is_dir():
            if _contents(folder) == written:  # of a harness that kept no list
                write_whole(folder / MANIFEST, json.dumps(written))
                return
            with _beside(folder) as damaged:
                folder.rename(damaged / "damaged")
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise


def _contents(folder: Path) -> dict[str, str]:
    """Name -> digest of every file."""
    files = (Path(base, name) for base, _, names in os.walk(folder) for name in names)
    return {file.relative_to(folder).as_posix(): digests.content(file).hex()[:32] for file in sorted(files) if file != folder / MANIFEST}


@contextlib.contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder of the same disk that is gone afterwards, with all that is left in it; locked as long as its process lives."""
    # the tempfile module would make it for this user only, and a cache may be shared
    partial = folder.parent / f".{folder.name}-{uuid.uuid4().hex}"
    lock = -1
    while not partial.exists():  # swept away between being made and being locked
        if lock >= 0:
            os.close(lock)
        partial.mkdir()
        lock = os.open(partial, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


def _sweep(folder: Path) -> None:
    """Remove what :func:`_beside` made in processes that were killed."""
    for left in folder.parent.glob(f".{folder.name}-*"):
        with contextlib.suppress(OSError):
            lock = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
