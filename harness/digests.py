"""The digest by which configs, trials and environments are known, and that of files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def digest_of(value: Any) -> str:
    """16 hexadecimal digits of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def content(file: Path) -> bytes:
    """Digest of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").digest()


def contents(groups: Iterable[Iterable[Path]]) -> dict[Path, bytes]:
    """File -> :func:`content`, of the files that one of another group can be a copy of; only those of the same size are read.

    A file may stand in several groups. What cannot be read is left out.
    """
    sizes = [{file: size for file in group if (size := _size(file)) is not None} for group in groups]
    found = Counter(size for some in sizes for size in {*some.values()})
    every = {file: size for some in sizes for file, size in some.items()}
    digests = {}
    for file, size in every.items():
        with contextlib.suppress(OSError):
            if found[size] > 1:
                digests[file] = content(file)
    return digests


def _size(file: Path) -> int | None:
    try:
        return os.stat(file).st_size
    except OSError:
        return None
