"""A case, the process that it runs in, and its judge."""

from __future__ import annotations

import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Must = Literal["refuse", "pass", "either"]

SECONDS = 90.0
"""Of waiting, and"""
PROCESSOR = 30
"""of computing, after which a case hangs."""
MEMORY = 3 << 30
"""Bytes that a case may ask for besides what is there already."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONGEST = 4000


class Wrong(AssertionError):
    """The harness did what it must not."""


@dataclass
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def refused(self) -> bool:
        """Whether it is a refusal: 4 is none, there was nothing to compare."""
        return self.code in (2, 3)


@dataclass
class Case:
    """Something broken, and what is done with it."""

    what: str
    """The kind of damage; findings are grouped by it."""
    must: Must
    act: Callable[[], bool]
    """Whether it was taken; raises :class:`Wrong`."""


def harness(*args: object, codes: tuple[int, ...] = (0, 2, 3, 4), cache: Path | None = None) -> Said:
    """Call the command line here, and see that it ends as documented.

    Args:
        cache: folder of what is remembered, in the place of the user's.

    Raises:
        Wrong: an exit code that is not documented, a traceback, a refusal that is no sentence, or text that a terminal would obey.
    """
    from click.testing import CliRunner

    from harness.cli import main

    told = {} if cache is None else {"HARNESS_CACHE": str(cache)}
    result = CliRunner(env=told).invoke(main, [str(arg) for arg in args], prog_name="harness")
    said = Said(result.exit_code, result.stdout, result.stderr)
    shown = f"{' '.join(map(str, args))[:300]!r} -> {said.code}: {(said.err or said.out)[-700:]!r}"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise Wrong(f"traceback: {shown} {''.join(traceback.format_exception(result.exception))[-900:]}")
    if "Traceback" in said.out + said.err:
        raise Wrong(f"traceback: {shown}")
    if found := re.search(r"unexpected \w+: .*The traceback is in (\S+)\.\n", said.err, re.DOTALL):
        raise Wrong(f"traceback: {shown} {Path(found[1]).read_text()[-900:]}")
    if said.code not in codes:
        raise Wrong(f"exit code: {shown}")
    if said.refused and not (said.err + said.out).strip():
        raise Wrong(f"no word: {shown}")
    if _CONTROL.search(said.out + said.err):
        raise Wrong(f"control characters: {shown}")
    if said.refused and len(said.err) > _LONGEST:
        raise Wrong(f"long: {shown} ({len(said.err)} characters)")
    return said


def run(name: str, number: int, seed: int, shared: Path) -> dict[str, Any]:
    """One case in a forked process; what became of it: ``what``, ``must``, ``taken`` and, if it is, what is ``wrong``."""
    from breaking import area
    from harness.engine.prepare import end_thread_pools

    make = area(name).make
    end_thread_pools()
    reading, writing = os.pipe()
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-{number}-"))
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.setsid()
        try:
            _limit()
            told = _tell(make, random.Random(f"{seed}/{name}/{number}"), folder, shared, writing)
            os.write(writing, (json.dumps(told) + "\n").encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.set_blocking(reading, False)
    give_up, told, wrong = time.monotonic() + SECONDS, b"", ""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        told += _read(reading)
        if ended:
            break
        if time.monotonic() > give_up:
            wrong = f"hang: after {SECONDS:g} s"
            break
        time.sleep(0.005)
    _quietly(lambda: os.killpg(pid, signal.SIGKILL))
    if not ended:
        _, status = os.waitpid(pid, 0)
    told += _read(reading)
    os.close(reading)
    _remove(folder)
    found: dict[str, Any] = {}
    for line in told.decode("utf-8", "replace").splitlines():
        found |= json.loads(line)
    if os.WIFSIGNALED(status) and not wrong:
        number_of = os.WTERMSIG(status)
        wrong = f"hang: {PROCESSOR} s of the processor" if number_of == signal.SIGXCPU else f"crash: signal {number_of}"
    if wrong or "taken" not in found:
        found["wrong"] = wrong or found.get("wrong") or "crash: it ended without a word"
    return found


def _quietly(function: Callable[[], object]) -> None:
    """Call it; whether it fails says nothing."""
    with suppress(OSError):
        function()


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 1 << 20)
    except BlockingIOError:
        return b""


def _limit() -> None:
    import gc

    gc.disable()
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _tell(make: Callable[..., Case], dice: random.Random, folder: Path, shared: Path, pipe: int) -> dict[str, Any]:
    """The judge."""
    os.chdir(folder)
    os.environ.update(HARNESS_CACHE=str(folder / ".cache"), COLUMNS="100", TMPDIR=str(folder))
    for name in ("HARNESS_DB", "HARNESS_REGISTRY", "HARNESS_DATA"):
        os.environ.pop(name, None)
    tempfile.tempdir = str(folder)
    said = io.StringIO()
    told: dict[str, Any] = {"what": "the case could not be made"}
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    try:
        with redirect_stdout(said), redirect_stderr(said):
            case = make(dice, folder, shared)
            told = {"what": case.what, "must": case.must}
            os.write(pipe, (json.dumps(told) + "\n").encode())  # known even if it hangs
            taken = case.act()
        told["taken"] = taken
        if case.must == "refuse" and taken:
            told["wrong"] = "nonsense was taken"
        if case.must == "pass" and not taken:
            told["wrong"] = "what is right was refused"
    except Wrong as wrong:
        told |= {"taken": True, "wrong": str(wrong)}
    except BaseException as error:
        told |= {"taken": True, "wrong": f"traceback: {type(error).__name__}: {error} {traceback.format_exc()[-1200:]}"}
    told["what"] = told["what"].encode("utf-8", "backslashreplace").decode()
    return told


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if sys.platform == "linux" and folder.exists():  # names of bytes that are no text
        shutil.rmtree(os.fsencode(folder), ignore_errors=True)
