"""Pictures that a reader takes out of larger files, in the harness's cache."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import paths

MEND = "mend that, or set HARNESS_CACHE elsewhere"
"""Of what :func:`unwritten` says."""


def unpack(name: str, write: Callable[[Path], None]) -> Path:
    """A folder of the cache, which appears whole or not at all.

    Args:
        name: ends in a digest of all that decides what is in it.
        write: fills the folder, where there is none yet.

    Raises:
        OSError: it cannot be written.
    """
    folder = paths.cache_dir() / "unpacked" / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent, ignore_cleanup_errors=True) as partial:
        write(Path(partial))
        try:
            os.rename(partial, folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
    return folder


def unwritten(error: OSError) -> str:
    """Why a folder is not there, as a clause."""
    return f"cannot be written to {error.filename or paths.cache_dir()} ({error.strerror or error})"
