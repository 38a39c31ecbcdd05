"""Files that appear whole or not at all, and numbers that JSON can hold."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def whole(file: Path, mode: str = "w", *, durable: bool = False) -> Iterator[IO[Any]]:
    """Open ``file`` for writing; under its name it appears when the block ends, and not if the block fails.

    Until then the text lies in a hidden file of the same folder, which is gone afterwards in any case. What stood there
    before stays until it is replaced; its permissions and a link that leads to it stay for good. What is no regular file (a pipe,
    ``/dev/stdout``) is written to as it is.

    Args:
        mode: ``w`` (UTF-8) or ``wb``.
        durable: the file is on the disk when the block has ended, whatever happens to the machine then.

    Raises:
        OSError: the disk is full, the folder is missing or not writable.
    """
    encoding = None if "b" in mode else "utf-8"
    target = Path(os.path.realpath(file))
    if target.exists() and not target.is_file():
        with target.open(mode, encoding=encoding) as stream:
            yield stream
        return
    partial = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        # unlike those of the tempfile module, a file opened so has the permissions that the user's umask gives
        with partial.open(mode.replace("w", "x"), encoding=encoding) as stream:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(partial, stat.S_IMODE(target.stat().st_mode))
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(partial, target)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    if durable:
        sync(target.parent)


def write_whole(file: Path, content: str | bytes | memoryview, *, durable: bool = False) -> None:
    """Write ``content``, text as UTF-8, as :func:`whole` does."""
    with whole(file, "w" if isinstance(content, str) else "wb", durable=durable) as stream:
        stream.write(content)


def regular(file: Path) -> Path:
    """``file``, which somebody named and is about to be read whole: a pipe or a device may have no end.

    Raises:
        OSError: it is there, and is no regular file.
    """
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def sync(place: Path) -> None:
    """Have a file's content, or a folder's new entry, on the disk, on systems that can be told so."""
    with contextlib.suppress(OSError):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def finite(value: Any) -> Any:
    """``value`` with every float that JSON cannot hold (NaN, infinities) as ``None``."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
