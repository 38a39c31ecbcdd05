"""Run a function in a forked process and get its answer as JSON.

For work that must not leave anything behind in the parent (a CUDA context, thread pools) or that may crash.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError

_PR_SET_PDEATHSIG = 1


class Isolated(HarnessError):
    """The function failed in its process."""


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process as soon as its parent ends (Linux; elsewhere leases alone must do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


@dataclass
class Answer:
    """What a forked process will say."""

    pid: int
    pipe: int

    def result(self) -> Any:
        """Wait for the function and return what it returned.

        Raises:
            Isolated: it raised, or its process died.
        """
        with os.fdopen(self.pipe, "rb") as stream:
            text = stream.read()
        _, status = os.waitpid(self.pid, 0)
        if not text:
            raise Isolated(f"its process ended with status {os.waitstatus_to_exitcode(status)}")
        answer = json.loads(text)
        if "error" in answer:
            raise Isolated(answer["error"])
        return answer["value"]


def start(function: Callable[[], Any]) -> Answer:
    """Fork and call ``function``, whose value must be plain JSON (NaN allowed)."""
    parent = os.getpid()
    reading, writing = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Answer(pid, reading)
    try:
        die_with_parent(parent)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            answer = {"value": function()}
        except BaseException as error:
            answer = {"error": one_line(error)}
        with os.fdopen(writing, "w") as stream:
            json.dump(answer, stream)
    finally:
        os._exit(0)


def one_line(error: BaseException, longest: int = 400) -> str:
    """An error as one line; ours are sentences already, others get the name of their type."""
    text = " ".join(str(error).split())
    if not isinstance(error, HarnessError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= longest else text[: longest - 1] + "…"
