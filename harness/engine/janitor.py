"""Ends what the trials of a run have started, should the run be killed so that it cannot do so itself.

The kernel ends a trial's process with that of its run, but not the processes that a plugin started. A small process waits until
the run is gone, however that came about, and then ends the process groups of its trials.
"""

from __future__ import annotations

import contextlib
import os
import signal


class Janitor:
    """The process that waits. Who kills it loses this service, and nothing else."""

    def __init__(self) -> None:
        reading, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                _stand_alone(reading)
                _wait()
            finally:
                os._exit(0)
        os.close(reading)

    def watch(self) -> None:
        """Called in a trial's process, which leads a group: have that group ended with the run."""
        self._say(f"+{os.getpid()}\n")
        os.close(self._pipe)  # the run is gone when nobody can write any more

    def forget(self, group: int) -> None:
        """A group has been ended: its number may be another's soon."""
        self._say(f"-{group}\n")

    def close(self) -> None:
        """Have all groups ended that are left."""
        os.close(self._pipe)
        os.waitpid(self._pid, 0)

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # it was killed
            os.write(self._pipe, line.encode())  # so short that lines of several processes never mix


def _stand_alone(reading: int) -> None:
    """Keep nothing of the run's open, and leave its interrupts to it."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.dup2(reading, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 16 else 1 << 16)


def _wait() -> None:
    groups: set[int] = set()
    with os.fdopen(0, "rb") as lines:
        for line in lines:
            (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
