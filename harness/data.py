"""Datasets on disk: where a benchmark's data lies, its fingerprint, and generated data."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from harness import __version__, fingerprints, generated, openmmlab, paths, remote
from harness.benchmarks import Task, weights
from harness.benchmarks.base import refuse
from harness.benchmarks.check_model import check_model
from harness.benchmarks.fetching import fetch
from harness.benchmarks.report import describe
from harness.errors import DataError, UsageError
from harness.files import write_whole

GENERATORS = 1
"""Version of the synthetic generators: raise it whenever a generated file may differ."""

_REPORTS = 7
"""Version of what :func:`ready` remembers: raise it whenever a report may say something else of the same files."""


def _generated_key(task: Task) -> str:
    options = task.data.model_dump(mode="json")
    text = json.dumps([GENERATORS, task.entry.family, options], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def locate(task: Task, data_root: Path | None, *, fetch: bool = False) -> Path:
    """The folder of a benchmark's dataset, existing or (for generated data) not yet.

    Args:
        fetch: copy it to this machine first, where the root is a URL and it is not here yet.

    Raises:
        UsageError: the benchmark needs ``--data-root`` and none was given.
        DataError: the folder does not exist.
    """
    if task.is_generated:
        return paths.cache_dir() / "datasets" / f"{task.entry.family}-{_generated_key(task)}"
    root = task.data.root
    if not root:
        raise UsageError(f"benchmark '{task.id}': data.root is missing. Give it in the registry or with --set data.root=DIR.")
    if remote.is_url(root):
        base, _, root = root.rstrip("/").rpartition("/")
        data_root = remote.mirror(base)
    try:
        folder = Path(root).expanduser()
    except RuntimeError:
        raise UsageError(f"benchmark '{task.id}': data.root '{root}': there is no such user. Write the path out.") from None
    if not folder.is_absolute():
        told = os.environ.get("HARNESS_DATA")
        given = data_root or (remote.mirror(told) if told and remote.is_url(told) else Path(told) if told else None)
        if given is None:
            raise UsageError(f"benchmark '{task.id}' reads '{root}': say where it lies with --data-root DIR (or HARNESS_DATA).")
        _copied(task, given, str(folder), fetch)
        folder = given / folder
    if not folder.is_dir():
        raise DataError(f"benchmark '{task.id}': no dataset at {folder}. Put it there, or give another --data-root.")
    return folder


def _copied(task: Task, given: Path, name: str, fetch: bool) -> None:
    """See that a dataset of a URL is here."""
    if (url := remote.source(given)) is None:
        return
    if fetch:
        remote.fetch(given, name)
    if not (given / name).is_dir():
        place = remote.shown(url)
        what = f"no dataset at {place}/{name}. Put it there" if fetch else f"not copied from {place} yet. The first run does that"
        raise DataError(f"benchmark '{task.id}': {what}.")


def ensure(task: Task, data_root: Path | None) -> Path:
    """The dataset's folder; generated data is written first if it is not there yet, or damaged.

    Raises:
        DataError: it is missing, or cannot be written.
    """
    folder = locate(task, data_root, fetch=True)
    if not task.is_generated or generated.is_sound(folder):
        return folder
    try:
        generated.write(task, folder)
    except OSError as error:
        raise DataError(
            f"the data of '{task.id}' cannot be written to {folder}: {error.strerror or error}. Mend that, or set HARNESS_CACHE elsewhere."
        ) from error
    return folder


@dataclass(frozen=True)
class Ready:
    """A dataset on which trials can run."""

    folder: Path
    report: tuple[str, ...]
    """What it holds, what is not used and what its owner should know, a line each."""


def ready(task: Task, data_root: Path | None) -> Ready:
    """A dataset, generated if need be, or else looked at once per content; and the model's weights, fetched if need be.

    Raises:
        DataError: it is missing, or malformed so that a trial could not run; names the first file and the mend.
        UsageError: a toolbox of OpenMMLab is not installed that its models are made of.
        UsageError: the weights cannot be fetched.
    """
    openmmlab.require(task.family.toolbox)
    folder = ensure(task, data_root)
    fetch(task.model.weights)
    entry = task.entry
    model = {key: entry.model.get(key) for key in ("weights", "backbone", "mean", "std", "flip_test")}
    with contextlib.suppress(UsageError):  # which is told as a problem
        model["content"], places = weights.named(task.model.weights)
        files = [*map(Path, places.values())]
        model["beside"] = [[(file.parent / weights.CONFIG).is_file(), weights.trained_with(file)] for file in files]
    known = fingerprint(task, data_root)
    identity = [_REPORTS, entry.family, entry.data, model, task.schedule.batch_size, known, __version__]
    digest = hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=12).hexdigest()
    seen = paths.cache_dir() / "checked" / f"{digest}.json"
    with contextlib.suppress(OSError, ValueError):
        return Ready(folder, tuple(map(str, json.loads(seen.read_text(encoding="utf-8")))))
    listing = task.listing(folder) if task.is_generated else fingerprints.listing(task, folder)
    problems = list(listing.problems) if task.is_generated else task.check_listing(folder, listing)
    problems += check_model(task, len(listing.train))
    name = task.entry.data.get("code", task.id)  # of a config file that is no entry
    refuse(problems, f"benchmark '{task.id}': ", f"`harness data check {shlex.quote(name)}`")
    report = [*describe(task, listing, problems), *([] if task.is_generated else task.remarks(folder, listing))]
    if fingerprint(task, data_root) != known:  # changed meanwhile: the report is not that of the files it would be remembered for
        return Ready(folder, tuple(report))
    with contextlib.suppress(OSError):  # what cannot be remembered is looked at again
        seen.parent.mkdir(parents=True, exist_ok=True)
        write_whole(seen, json.dumps(report))
    return Ready(folder, tuple(report))


def fingerprint(task: Task, data_root: Path | None) -> str:
    """Identifies a dataset's content: by generator and options, or by the files that the benchmark reads."""
    return _generated_key(task) if task.is_generated else fingerprints.of_folder(task, locate(task, data_root, fetch=True))


def unchanged(task: Task, folder: Path, planned: str) -> str:
    """What the files are known by that ``task`` reads from ``folder``, where they are those that were planned with.

    Of generated data, whose fingerprint is that of generator and options, it is the digest of the files themselves.

    Raises:
        DataError: they are not.
    """
    if task.is_generated:
        if not generated.is_sound(folder):
            raise DataError(
                f"the generated data of '{task.id}' in {folder} are not what was written there: a file was changed, added or lost. "
                "Run the same command again, which writes them anew."
            )
        return generated.digest(folder)
    if fingerprints.of_folder(task, folder) != planned:
        raise DataError(
            f"the data of '{task.id}' in {folder} changed since this trial was planned, so its numbers would be those of neither. "
            "Run the same command again, which plans anew, and leave the files alone meanwhile."
        )
    return planned
