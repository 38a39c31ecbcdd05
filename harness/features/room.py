"""How much is kept of the features of all backbones, and what goes first."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness import paths
from harness.errors import UsageError

LIMIT = "HARNESS_FEATURES"
"""The variable that says how many gigabytes features may take."""

_GIGABYTES = 20.0


def root() -> Path:
    """The folder of all features: one inside for each backbone, and ``samples``."""
    return paths.cache_dir() / "features"


def limit() -> int:
    """Bytes that features may take, 20 GB by default.

    Raises:
        UsageError: ``HARNESS_FEATURES`` is no number.
    """
    given = os.environ.get(LIMIT)
    try:
        return int(float(given or _GIGABYTES) * 1e9)
    except (ValueError, OverflowError):
        raise UsageError(f"{LIMIT}={given}: give a number of gigabytes.") from None


def _files() -> Iterator[tuple[float, int, Path]]:
    """(when it was used last, bytes, the file) of all files of rows."""
    for path in root().glob("*/*.rows"):
        with contextlib.suppress(OSError):
            state = path.stat()
            yield state.st_mtime, state.st_size, path


def used() -> int:
    """Bytes that features take."""
    return sum(size for _, size, _ in _files())


def make(wanted: int, using: Path) -> bool:
    """Delete what was used longest ago until ``wanted`` more bytes fit within the limit; whether they do.

    Args:
        using: a folder whose files stay.
    """
    shrink(limit() - wanted, using)
    return used() + wanted <= limit()


def shrink(size: int, using: Path | None = None) -> list[Path]:
    """Delete what was used longest ago until all features take ``size`` bytes at most; what was deleted.

    A process that still reads a deleted file goes on with it: its space is given back when that process ends.
    """
    found = sorted(_files())
    total, gone = sum(each for _, each, _ in found), []
    for _, each, path in found:
        if total <= size:
            break
        if path.parent != using:
            path.unlink(missing_ok=True)
            total -= each
            gone.append(path)
    for folder in {path.parent for path in gone}:
        if not any(folder.glob("*.rows")):
            shutil.rmtree(folder, ignore_errors=True)
    return gone
