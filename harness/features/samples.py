"""Which image each sample of a dataset is: so that a trial finds features without a look at any image."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.digests import digest_of
from harness.features import room
from harness.files import write_whole

FOLDER = "samples"

_VERSION = 2


@dataclass(frozen=True)
class Samples:
    """The samples of a split, in its order, after one chain of transforms."""

    benchmark: str
    split: str
    images: list[str]
    """Digest of each image as the backbone is given it."""
    about: list[dict[str, Any]]
    """What else the transforms found out of each image, as plain data: its size, say."""


def key(dataset: Mapping[str, Any], fingerprint: str, files: Sequence[str], preprocessor: Mapping[str, Any], device: str) -> str:
    """What decides the pixels that a backbone is given.

    Args:
        dataset: the config of the split's dataset, with its transforms and without paths.
        fingerprint: of the dataset's files.
        files: of the samples, in their order: a reader may come to list them otherwise.
        preprocessor: the config of what normalizes a batch.
        device: ``cpu`` or ``cuda``.
    """
    return digest_of([_VERSION, dataset, fingerprint, [*files], preprocessor, device])


def _file(name: str) -> Path:
    return room.root() / FOLDER / f"{name}.json"


def read(name: str) -> Samples | None:
    """What is remembered under a key; ``None`` where there is nothing, or it is damaged."""
    return _read(_file(name))


def _read(file: Path) -> Samples | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        check, text = file.read_text(encoding="utf-8").split("\n", 1)
        if int(check) == zlib.crc32(text.encode()):
            return Samples(**json.loads(text))
    return None


def write(name: str, found: Samples) -> None:
    """Remember it; what cannot be remembered is looked at again."""
    text = json.dumps(asdict(found))
    with contextlib.suppress(OSError):
        _file(name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(_file(name), f"{zlib.crc32(text.encode())}\n{text}")


def remembered() -> list[Samples]:
    """All that are remembered, by benchmark and split."""
    found = [some for file in (room.root() / FOLDER).glob("*.json") if (some := _read(file))]
    return sorted(found, key=lambda some: (some.benchmark, some.split))
