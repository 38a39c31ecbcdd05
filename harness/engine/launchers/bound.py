"""``python -m harness.engine.launchers.bound PID ARGUMENT...``: ``harness ARGUMENT...``, which is interrupted when process PID ends.

What a cluster starts is a process of that cluster, which starts this one: trials are forked from a process without threads, and
whoever ends the former must not leave the latter behind.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from harness.engine.signals import die_with

_TAIL = 2000
_GRACE = 20.0
"""Seconds that a worker has to give its trials back."""


class Bound:
    """A ``harness`` command as a process of its own, which does not outlive the thread that made it."""

    def __init__(self, arguments: Sequence[str], folder: str, environment: Mapping[str, str]):
        """
        Args:
            folder: where it runs, if there is such a folder on this machine.
            environment: variables that it has besides those of this process.
        """
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.engine.launchers.bound", str(os.getpid()), *arguments],
            cwd=folder if os.path.isdir(folder) else None,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )

    def poll(self) -> tuple[int, str] | None:
        """Its exit code and last words; ``None`` while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        end = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, end - _TAIL))
        return code, self._output.read().decode("utf-8", "replace").strip()

    def stop(self) -> None:
        """Interrupt it, so that it gives its trials back to the queue, and wait for its end."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(arguments: Sequence[str], folder: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Start a :class:`Bound` command and wait for its end; its exit code and last words."""
    bound = Bound(arguments, folder, environment)
    try:
        while (ended := bound.poll()) is None:
            time.sleep(0.2)
        return ended
    except BaseException:
        bound.stop()
        raise


if __name__ == "__main__":
    die_with(int(sys.argv.pop(1)), signal.SIGTERM)
    runpy.run_module("harness", run_name="__main__", alter_sys=True)
