"""Whether a plugin file imports, found out in a child process once per content.

``python -m harness.catalog.verify`` is that child: it reads plugin files as JSON from its standard input and
prints one verdict per line, so that a file which ends or hangs the process costs only its own verdict.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness import __version__, paths
from harness.catalog.plugins import PluginFile
from harness.catalog.sources import absent, file_digest, needs_openmmlab
from harness.files import write_whole
from harness.slots import SLOTS

TIMEOUT = 180.0
"""Seconds a child may take for all of its files."""

_DEADLY = "importing it"
"""How the verdict on a file begins that left none itself."""

_INTERRUPTED = f"{_DEADLY} was interrupted"
_LONG = f"{_DEADLY} takes more than"

_NOT_KEPT = ("ImportError", "ModuleNotFoundError", _INTERRUPTED, _LONG)
"""How verdicts begin that may change though the plugin file does not; they are found anew each time."""

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""Signals that say nothing about the file."""


def _store() -> Path:
    return paths.cache_dir() / "plugin-verdicts.json"


@cache
def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _key(file: PluginFile) -> str:
    parts = [__version__, _installed("torch"), _installed("mmengine"), file_digest(file.path, file.module, whole=True), *absent(file.path)]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _read() -> dict[str, str | None]:
    try:
        known = json.loads(_store().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(verdicts: dict[str, str | None]) -> None:
    try:
        _store().parent.mkdir(parents=True, exist_ok=True)
        write_whole(_store(), json.dumps(verdicts))
    except OSError:
        pass  # a cache that cannot be written costs time only


def static_fault(file: PluginFile) -> str | None:
    """What is wrong with a file as far as its syntax tree tells."""
    if file.error:
        return file.error
    unknown = sorted({slot for slot in file.names.values() if slot not in SLOTS})
    return f"unknown slot '{unknown[0]}'; known: {', '.join(SLOTS)}" if unknown else None


def verdicts(files: Iterable[PluginFile], on_check: Callable[[int], None] = lambda count: None) -> dict[Path, str | None]:
    """Why each file does not import; ``None`` for one that does.

    Args:
        on_check: called with the number of files that have to be imported now, where there are any.
    """
    files = [*files]
    found = {file.path: static_fault(file) for file in files}
    keys = {file.path: _key(file) for file in files if found[file.path] is None}
    known = _read()
    todo = [file for file in files if file.path in keys and keys[file.path] not in known]
    if todo:
        on_check(len(todo))
        fresh = _in_child(todo)
        known |= {keys[path]: reason for path, reason in fresh.items()}
        _write({key: reason for key, reason in known.items() if not (reason or "").startswith(_NOT_KEPT)})
    return found | {path: known.get(key) for path, key in keys.items()}


def deadly(files: Iterable[PluginFile]) -> dict[Path, str]:
    """Files from outside the distribution that must not be imported here, and why: importing them ends the process, or never ends."""
    found = verdicts(file for file in files if file.origin != "shipped")
    return {path: f"plugin file {path}: {reason}." for path, reason in found.items() if reason and reason.startswith(_DEADLY)}


def _in_child(files: list[PluginFile]) -> dict[Path, str | None]:
    """Import files in child processes; a new one goes on behind a file that ended its predecessor."""
    results: dict[Path, str | None] = {}
    while todo := [file for file in files if file.path not in results]:
        request = json.dumps([{"path": str(f.path), "origin": f.origin, "module": f.module, "names": f.names} for f in todo])
        try:
            # what plugins print goes nowhere: it need not be text, and a process that they leave behind would keep a pipe open
            child = subprocess.run(
                [sys.executable, "-P", "-m", "harness.catalog.verify"],  # -P: as for `harness run`, nothing of the current folder
                input=request,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                timeout=TIMEOUT,
            )
            output, outside = child.stdout, -child.returncode in _FROM_OUTSIDE
            end = (
                f"{_INTERRUPTED} by {signal.Signals(-child.returncode).name}"
                if outside
                else f"{_DEADLY} ends the process (exit code {child.returncode})"
            )
        except subprocess.TimeoutExpired as error:
            output = (error.stdout or b"").decode() if isinstance(error.stdout, bytes | None) else error.stdout
            outside, end = True, f"{_LONG} {TIMEOUT:.0f} s"
        done = [json.loads(line) for line in output.splitlines()]
        for file, reason in zip(todo, done, strict=False):
            results[file.path] = reason
        if len(done) < len(todo) and not (outside and done):  # or else the next child tells whether it is this file's fault
            results[todo[len(done)].path] = end
    return results


def _main() -> None:
    verdict_stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a plugin prints is no verdict

    from harness.catalog.plugins import load
    from harness.errors import UsageError
    from harness.slots import registry

    request = [PluginFile(Path(f["path"]), f["origin"], f["module"], f["names"]) for f in json.load(sys.stdin)]
    if any(needs_openmmlab(file.path, file.module) for file in request):
        from harness.openmmlab import setup

        with contextlib.suppress(Exception):  # a stack that is not whole is named by the import that needs it
            setup()
    for file in request:
        reason = None
        try:
            load(file)
            absent = [name for name in file.names if name not in registry().module_dict]
            if absent:
                reason = f"it does not register '{absent[0]}'"
        except UsageError as error:
            cause = error.__cause__ or error
            reason = f"{type(cause).__name__}: {cause}"
        print(json.dumps(reason), file=verdict_stream, flush=True)


if __name__ == "__main__":
    _main()
