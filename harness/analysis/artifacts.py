"""What trials left beside the database, or at ``HARNESS_ARTIFACTS``: logs, pictures and the curve of the first epoch.

A trial's files are found from its digest, in ``trials/DIGEST`` beside the database's file (:func:`harness.store.url.results_folder`),
so that results which were moved or imported keep theirs; those of other machines are copied into the cache when they are looked at
(:mod:`harness.remote`). What the database says about paths is what others wrote into it: nothing
is opened by it, and nothing that lies outside of that folder, where a link may lead. Pictures are decoded whole before they are shown.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from re import fullmatch
from typing import TYPE_CHECKING, Any

from harness import paths, remote
from harness.errors import DataError
from harness.store.url import results_folder

if TYPE_CHECKING:
    from harness.store import TrialRow

LOG, FIRST_EPOCH = "log.txt", "artifacts/first_epoch.csv"
_PICTURES = {".png": "PNG", ".jpg": "JPEG"}
_MOST_PICTURES = 200
_MOST_BYTES = 32 << 20
_MOST_PIXELS = 50_000_000
_TAIL = 1 << 16
"""Bytes of a log that are read at most: lines of validations with many scenes are long."""


@dataclass(frozen=True)
class Picture:
    """A picture that a trial left: attention maps over a test image (``attention-0.jpg``), what is true of it and was predicted
    (``prediction-0.jpg``), trajectories, error curves."""

    digest: str
    """Of the trial."""
    name: str
    file: Path
    """Where it lies."""

    @property
    def image(self) -> int | None:
        """Which of the pictured test images it shows, from 0; ``None`` for any other picture.

        Trials of one test set and the same options show the same images under the same number.
        """
        found = fullmatch(r"(?:attention|prediction)-(\d{1,6})\.jpg", self.name)
        return int(found[1]) if found else None

    @property
    def attention(self) -> bool:
        """Whether it shows attention maps over a test image."""
        return self.image is not None and self.name.startswith("attention")


def find(url: str, digest: str, name: str = "") -> Path | None:
    """A trial's folder, or the file ``name`` in it; ``None`` where there is none, or none below the folder of all trials.

    Args:
        url: of the database.
        name: below the trial's folder; a folder is found on this machine only.

    Raises:
        RemoteError: the place where other machines leave their files cannot be read.
    """
    root = _root(url)
    found = _below(root, digest, name) if root else None
    elsewhere = paths.artifacts()
    return remote.get(elsewhere, digest, name) if found is None and name and elsewhere and _is_digest(digest) else found


def _root(url: str) -> Path | None:
    try:
        return (results_folder(url) / "trials").resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _is_digest(text: str) -> bool:
    return fullmatch("[0-9a-f]{1,32}", text) is not None


def _below(root: Path, digest: str, name: str) -> Path | None:
    if not _is_digest(digest):
        return None
    try:
        found = (root / digest / name).resolve(strict=True)
        return found if found.is_relative_to(root / digest) and (found.is_file() if name else found.is_dir()) else None
    except (OSError, RuntimeError, ValueError):  # missing, a circle of links, a name that no file can have
        return None


def placed(url: str, rows: Iterable[TrialRow]) -> list[TrialRow]:
    """The same trials with ``log`` and ``work_dir`` where they lie now, folders or URLs; ``None`` where they are not there."""
    root = _root(url)
    there = {entry.name for entry in root.iterdir()} if root else set()
    elsewhere = paths.artifacts()
    left = remote.trials(elsewhere) if elsewhere else set()
    found = []
    for row in rows:
        folder, log = (_below(root, row.digest, name) if root and row.digest in there else None for name in ("", LOG))
        if elsewhere and folder is None and row.digest in left:
            place = f"{remote.shown(elsewhere)}/trials/{row.digest}"
            found.append(replace(row, log=f"{place}/{LOG}", work_dir=place))
        else:
            found.append(replace(row, log=str(log) if log else None, work_dir=str(folder) if folder else None))
    return found


def log_tail(url: str, digest: str, lines: int = 40) -> str:
    """The last lines of a trial's log, at most 64 KiB; empty where there is none."""
    log = find(url, digest, LOG)
    if log is None:
        return ""
    try:
        with log.open("rb") as stream:
            end = stream.seek(0, 2)
            stream.seek(max(0, end - _TAIL))
            return "\n".join(stream.read(_TAIL).decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def first_epoch(url: str, digest: str) -> list[dict[str, Any]]:
    """The course of query-key distance and purity over a trial's first epoch, see :func:`harness.analysis.diagnostics.curve`.

    Empty where there is none, or where the file is broken.
    """
    from harness.analysis import diagnostics

    file = find(url, digest, FIRST_EPOCH)
    try:
        return diagnostics.curve(file) if file and file.stat().st_size <= _MOST_BYTES else []
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []


def pictures(url: str, digest: str) -> list[Picture]:
    """The pictures of a trial by name, at most 200; whether they can be shown, :func:`read` tells."""
    folder = find(url, digest)
    try:
        names = sorted(entry.name for entry in (folder / "artifacts").iterdir()) if folder else []
    except OSError:
        return []
    if folder is None and (elsewhere := paths.artifacts()) and _is_digest(digest):
        names = [Path(name).name for name in remote.names(elsewhere, digest) if Path(name).parent == Path("artifacts")]
    wanted = [name for name in names if Path(name).suffix in _PICTURES][:_MOST_PICTURES]
    found = [Picture(digest, name, file) for name in wanted if (file := find(url, digest, f"artifacts/{name}"))]
    return sorted(found, key=lambda picture: (picture.image is None, not picture.attention, picture.image or 0, picture.name))


def galleries(url: str, digests: Iterable[str]) -> dict[int, dict[str, Picture]]:
    """Number of a pictured test image -> digest of a trial, in the order given -> its attention maps over that image.

    Nothing is opened yet: see :func:`read`. The maps themselves are in :func:`harness.analysis.kept.pictured`, by the same number.
    """
    found: dict[int, dict[str, Picture]] = defaultdict(dict)
    for digest in digests:
        for picture in pictures(url, digest):
            if picture.image is not None and picture.attention:
                found[picture.image][digest] = picture
    return {image: found[image] for image in sorted(found)}


def read(picture: Picture) -> bytes:
    """The bytes of a picture that was decoded whole, as PNG or JPEG; what is shown is what was checked.

    Raises:
        DataError: it is empty, damaged, no picture or too large.
    """
    from PIL import Image

    content = b""
    try:
        with picture.file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise DataError(f"{picture.name} is larger than {_MOST_BYTES >> 20} MB and is not shown.")
        image = Image.open(io.BytesIO(content), formats=[_PICTURES[Path(picture.name).suffix]])
        if math.prod(image.size) > _MOST_PIXELS:
            raise DataError(f"{picture.name} has more than {_MOST_PIXELS // 10**6} million pixels and is not shown.")
        image.load()
    except DataError:
        raise
    except Exception as error:  # decoders raise what they like at damaged files
        what = "is empty" if not content else "is damaged or no picture"
        raise DataError(f"{picture.name} {what} and cannot be shown.") from error
    return content
