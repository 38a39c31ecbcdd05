"""The features of one backbone: rows in files that are written once, mapped into memory and verified as they are read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import paths
from harness.features import room
from harness.files import write_whole

if TYPE_CHECKING:
    import numpy as np

ABOUT = "about.json"
"""Which backbone a folder is of, in words."""
SUFFIX = ".rows"

_MAGIC = b"rows 1\0\0"
_INTRO = 32
"""Bytes before the head."""
_ALIGNED = 64
"""Bytes, of a cache's line: where each map of a row begins, counted from the head's end."""


@dataclass(frozen=True)
class Level:
    """One feature map of one image, as bytes."""

    data: np.ndarray
    """(bytes,) uint8."""
    shape: tuple[int, ...]
    dtype: str
    """As torch calls it, ``float32`` say."""


@dataclass(frozen=True)
class _Row:
    """Where a row lies in its file."""

    file: _File
    start: int
    """Of the first map."""
    stop: int
    levels: list[list[Any]]
    """[offset from ``start``, bytes, shape, type] of each map."""


class _File:
    """One file of rows, mapped when the first of them is read, and verified then as a whole.

    It begins with a mark, the length of its head and the CRC-32 of head and body, 8 bytes each; the head is JSON.
    """

    def __init__(self, path: Path):
        self.path = path
        self._bytes: np.ndarray | None = None

    def bytes(self) -> np.ndarray | None:
        """All of it; ``None`` where it is not what was written, and gone then, or was evicted."""
        if self._bytes is None:
            import numpy as np

            try:
                # copy on write: torch refuses memory that cannot be written to, and the file stays as it is
                found = np.memmap(self.path, np.uint8, "c")
                os.utime(self.path)  # what is read stays longest
            except (OSError, ValueError):
                return None
            begin = _aligned(_INTRO + int.from_bytes(found[8:16], "little"))
            if zlib.crc32(found[begin:].data) != int.from_bytes(found[24:32], "little"):
                with contextlib.suppress(OSError):
                    self.path.unlink()
                return None
            self._bytes = found
        return self._bytes

    def rows(self) -> dict[str, _Row]:
        """What the head of the file says; nothing where it is torn, or not ours."""
        found: dict[str, _Row] = {}
        try:
            with self.path.open("rb") as stream:
                intro, size = stream.read(_INTRO), os.fstat(stream.fileno()).st_size
                length, check = (int.from_bytes(intro[at : at + 8], "little") for at in (8, 16))
                head = stream.read(length) if intro[:8] == _MAGIC and length <= size else b""
        except OSError:
            return found
        if head and zlib.crc32(head) == check:
            begin = _aligned(_INTRO + length)
            for name, start, stop, levels in json.loads(head):
                found[name] = _Row(self, begin + start, begin + stop, levels)
        return found


class Store:
    """Rows by the digest of the image that they were computed from.

    Several processes may read and write a store at once: a file of rows appears whole, and is never changed. What is in a file that is
    not as it was written is as if it were missing.

    Args:
        folder: of the backbone; it need not exist.
        about: the backbone in words, for `harness features list`.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any] | None = None):
        self.folder = folder
        self.about = dict(about or {})
        self._rows: dict[str, _Row] = {}
        self._seen: set[str] = set()
        self.refresh()

    @staticmethod
    def rows_of(path: Path) -> list[str]:
        """The images whose rows one file holds."""
        return [*_File(path).rows()]

    def refresh(self) -> None:
        """Take in what other processes have written since this one looked."""
        with contextlib.suppress(OSError):
            for path in self.folder.glob(f"*{SUFFIX}"):
                if path.name not in self._seen:
                    self._seen.add(path.name)
                    self._rows |= _File(path).rows()

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def names(self) -> list[str]:
        """All images."""
        return [*self._rows]

    def size_of(self, names: Iterable[str]) -> tuple[int, int]:
        """How many of these images there are, and the bytes they take."""
        found = [row for name in {*names} if (row := self._rows.get(name))]
        return len(found), sum(row.stop - row.start for row in found)

    def get(self, name: str) -> list[Level] | None:
        """The maps of an image, as views of the mapped file; ``None`` where they are not there, or damaged."""
        row = self._rows.get(name)
        if row is None:
            return None
        if (data := row.file.bytes()) is None:
            self._rows = {other: each for other, each in self._rows.items() if each.file is not row.file}
            return None
        return [
            Level(data[row.start + offset : row.start + offset + size], tuple(shape), dtype) for offset, size, shape, dtype in row.levels
        ]

    def most(self) -> int:
        """Bytes that this store may take, once all others have made room."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder.parent).free + room.used() - paths.ROOM
        return min(room.limit(), free)

    def put(self, rows: Mapping[str, list[Level]]) -> bool:
        """Keep rows that are not there yet, if the disk has room; whether they are kept.

        A store that cannot be written costs time, not the trial, and it never fills a disk.
        """
        self.refresh()
        new = {name: levels for name, levels in rows.items() if name not in self._rows}
        if not new:
            return True
        head, parts, at, check = [], [], 0, 0
        for name, levels in new.items():
            start, places = at, []
            for level in levels:
                raw = level.data.tobytes()
                raw += bytes(-len(raw) % _ALIGNED)
                places.append([at - start, level.data.nbytes, level.shape, level.dtype])
                check = zlib.crc32(raw, check)
                parts.append(raw)
                at += len(raw)
            head.append([name, start, at, places])
        text = json.dumps(head).encode()
        intro = _MAGIC + b"".join(number.to_bytes(8, "little") for number in (len(text), zlib.crc32(text), check)) + text
        intro += bytes(_aligned(len(intro)) - len(intro))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not room.make(at + len(intro), self.folder) or shutil.disk_usage(self.folder).free < paths.ROOM + at:
                return False
            if self.about and not (self.folder / ABOUT).is_file():
                write_whole(self.folder / ABOUT, json.dumps(self.about))
            write_whole(self.folder / f"{uuid.uuid4().hex}{SUFFIX}", b"".join([intro, *parts]))
        except OSError:
            return False
        self.refresh()
        return True


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
