"""Run a function in a forked process and get its answer as JSON.

For trials, and for work that must not leave anything behind in the parent (a CUDA context, thread pools) or that may crash.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.engine.signals import fork
from harness.errors import HarnessError
from harness.texts import visible


class Isolated(HarnessError):
    """The function failed in its process."""


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
    return Answer(*forked(lambda: _answer(function)))


def _answer(function: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": function()}
    except BaseException as error:
        return {"error": one_line(error)}


def forked(function: Callable[[], Any]) -> tuple[int, int]:
    """A new process that calls ``function``, writes its value as JSON into a pipe and ends; its id and the pipe's reading end.

    No thread, CUDA context or database connection may be open here. A function that raises writes nothing.
    """
    reading, writing = os.pipe()
    pid = fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(reading)
        text = json.dumps(function())
        with os.fdopen(writing, "w") as stream:
            stream.write(text)
        for own in filter(None, (sys.stdout, sys.stderr)):
            own.flush()
    finally:
        # neither the parent's exit handlers nor its buffers are this process's business
        os._exit(0)


def one_line(error: BaseException, longest: int = 400) -> str:
    """An error as one line; ours are sentences already, others get the name of their type."""
    text = visible(" ".join(str(error).split()))
    if not isinstance(error, HarnessError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= longest else text[: longest - 1] + "…"


def quietly(function: Callable[[], Any]) -> Any:
    """:func:`start` a function and wait for it; what it prints is not shown.

    Raises:
        HarnessError: the function raised; its own sentence.
    """
    with tempfile.TemporaryFile() as said:

        def silent() -> Any:
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
            return function()

        return start(silent).result()
