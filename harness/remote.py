"""Files that lie elsewhere, at any URL that fsspec opens: what trials left, and datasets.

Only URLs that the user gave are opened (``--artifacts``, ``--data-root``, ``data.root``), never what a database says. What is read
is copied into the cache first, so that everything else deals with files.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import paths
from harness.digests import digest_of
from harness.errors import HarnessError, UsageError

_SOURCE = ".source"
"""In a :func:`mirror`: the URL that it is one of."""
_LEFT = ("log.txt", "artifacts")
"""What others may want to see of a trial's folder; a checkpoint is of no use elsewhere."""


class RemoteError(HarnessError):
    """What lies elsewhere cannot be read or written: no access, no network, no room."""

    exit_code = 3


def is_url(text: str) -> bool:
    """Whether it begins as a URL does, ``s3://`` say."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z0-9+.-]*)*://", text) is not None


def shown(url: str) -> str:
    """Without the name and password that it may hold."""
    return re.sub(r"//[^/@]*@", "//", url)


def checked(text: str) -> str:
    """A URL below which files can lie; of a folder's path the URL of that.

    Raises:
        UsageError: nothing opens such a URL, or what it means is gone with the process.
    """
    url = text if is_url(text) else Path(text).expanduser().absolute().as_uri()
    if url.startswith("memory:"):
        raise UsageError(f"{url}: memory is gone with the process, and trials have processes of their own. Give a URL that lasts.")
    try:
        with _open(url):
            return url.rstrip("/")
    except RemoteError as error:
        raise UsageError(str(error)) from None


@contextlib.contextmanager
def _open(url: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL, and the place in it."""
    import fsspec

    if "::" in url:  # one of the file systems that others are seen through fills in templates, which are code
        raise RemoteError(f"{shown(url)}: chains of file systems are not opened. Give the URL of one.")
    try:
        filesystem, place = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise RemoteError(f"{shown(url)}: what opens such a URL is not installed: {error}.") from None
    except ValueError as error:
        raise RemoteError(f"{shown(url)}: {error}. Give a URL that fsspec opens: file://, s3://, gs://, sftp:// and others.") from None
    try:
        yield filesystem, place.rstrip("/")
    except HarnessError:
        raise
    except Exception as error:  # every protocol has errors of its own
        raise RemoteError(f"{shown(url)}: {type(error).__name__}: {error}. Is it reachable from here, and may you use it?") from error


def put(url: str, folder: Path, digest: str) -> None:
    """Copy the log and the artifacts in a trial's ``folder`` to ``URL/trials/DIGEST``.

    Raises:
        RemoteError: they cannot be written there.
    """
    left = [file for name in _LEFT for file in ((folder / name).rglob("*") if (folder / name).is_dir() else [folder / name])]
    with _open(url) as (filesystem, place):
        for file in sorted(file for file in left if file.is_file()):
            target = f"{place}/trials/{digest}/{file.relative_to(folder).as_posix()}"
            filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            filesystem.put_file(str(file), target)


def trials(url: str) -> set[str]:
    """Digests of the trials that left something there.

    Raises:
        RemoteError: nobody knows.
    """
    with _open(url) as (filesystem, place):
        try:
            return {str(entry).rstrip("/").rpartition("/")[2] for entry in filesystem.ls(f"{place}/trials", detail=False)}
        except FileNotFoundError:
            return set()


def names(url: str, digest: str) -> list[str]:
    """The files that a trial left there, relative to its folder.

    Raises:
        RemoteError: nobody knows.
    """
    with _open(url) as (filesystem, place):
        base = f"{place}/trials/{digest}/"
        try:
            return sorted(str(file).rpartition(base)[2] for file in filesystem.find(base))
        except FileNotFoundError:
            return []


def get(url: str, digest: str, name: str) -> Path | None:
    """A copy of a file that a trial left there, taken anew when it has changed; ``None`` where there is none.

    Raises:
        RemoteError: it cannot be read.
    """
    with _open(url) as (filesystem, place):
        source = f"{place}/trials/{digest}/{name}"
        try:
            key = filesystem.ukey(source)
        except FileNotFoundError:
            return None
        copy = paths.cache_dir() / "artifacts" / digest_of([url, str(key)]) / Path(name).name
        if not copy.is_file():
            _copy(copy, lambda partial: filesystem.get_file(source, str(partial)))
        return copy


def mirror(url: str) -> Path:
    """The folder of this machine in which datasets from ``url`` appear when they are :func:`fetch`-ed.

    Raises:
        UsageError: see :func:`checked`.
    """
    url = checked(url)
    folder = paths.cache_dir() / "fetched" / digest_of([url])
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _SOURCE).is_file():
        _copy(folder / _SOURCE, lambda partial: partial.write_text(url, encoding="utf-8"))
    return folder


def source(root: Path) -> str | None:
    """The URL that ``root`` is the :func:`mirror` of, if it is one."""
    try:
        return (root / _SOURCE).read_text(encoding="utf-8") if root.parent == paths.cache_dir() / "fetched" else None
    except OSError:
        return None


def fetch(root: Path, name: str) -> None:
    """Copy a dataset into a :func:`mirror` once; it appears there whole or not at all.

    Raises:
        RemoteError: it is not there, or cannot be read.
    """
    url = source(root)
    assert url is not None
    with _open(url) as (filesystem, place):
        if not (root / name).is_dir() and filesystem.isdir(f"{place}/{name}"):
            from fsspec.callbacks import TqdmCallback

            bar = TqdmCallback(tqdm_kwargs={"desc": f"{name} from {shown(url)}", "unit": " files", "disable": None})
            _copy(root / name, lambda partial: filesystem.get(f"{place}/{name}/", f"{partial}/", recursive=True, callback=bar))


def _copy(target: Path, write: Any) -> None:
    """A file or folder that appears whole or not at all; who comes second keeps what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        write(partial)
        try:
            partial.rename(target)
        except OSError:
            if not target.exists():
                raise
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
