"""Image files by the path that an annotation says, which may be that of another machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.benchmarks.inside import is_inside


def parts_of(said: str) -> list[str]:
    """The names of a path, a Windows one too, without drive and ``.``."""
    return [part for part in said.replace("\\", "/").split("/") if part not in ("", ".") and not part.endswith(":")]


def find(said: str, bases: Iterable[Path], root: Path, *, fewest: int = 1) -> tuple[Path | None, bool]:
    """The file that ``said`` means, and whether only the end of that path leads to it.

    The longest end of the path that is a file under one of ``bases`` counts.

    Args:
        root: a file outside it is none of the dataset's, :mod:`harness.benchmarks.inside`.
        fewest: so many names an end has at least.
    """
    bases, parts = [*bases], parts_of(said)
    direct = [base / said for base in bases[:1] if not said.startswith("/")]
    ends = (base.joinpath(*parts[start:]) for start in range(len(parts) - fewest + 1) for base in bases)
    for file in (*direct, *ends):
        try:
            if file.is_file() and is_inside(file, [root, *bases]):
                return file, file not in (*direct, bases[0].joinpath(*parts))
        except (OSError, ValueError):  # a name that no file can have
            continue
    return None, False


def outside(said: str) -> bool:
    """Whether a path, taken literally, leaves the folder it starts in."""
    return said.startswith(("/", "\\")) or said[1:2] == ":" or ".." in parts_of(said)
