"""Signs of life: a trial's process counts what it has done, and whoever started it sees whether the count goes on."""

from __future__ import annotations

import mmap

_WIDTH = 8


class Pulse:
    """A count that a process shares with those it forks."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)

    @property
    def count(self) -> int:
        """How often it has beaten."""
        return int.from_bytes(self._page[:_WIDTH], "little")

    @property
    def memory(self) -> int:
        """Bytes of a GPU that the trial has taken at most, so far."""
        return int.from_bytes(self._page[_WIDTH : 2 * _WIDTH], "little")

    def beat(self, memory: int = 0) -> None:
        """Show that something has been done, and how much of a GPU that took."""
        self._page[: 2 * _WIDTH] = (self.count + 1).to_bytes(_WIDTH, "little") + max(memory, self.memory).to_bytes(_WIDTH, "little")


_own: Pulse | None = None


def take(pulse: Pulse) -> None:
    """From now on :func:`beat` is seen by the process that made ``pulse``."""
    global _own
    _own = pulse


def beat(memory: int = 0) -> None:
    """Show that this trial goes on, see :meth:`Pulse.beat`; call it at least once in :data:`harness.engine.launchers.local.SILENCE`."""
    if _own is not None:
        _own.beat(memory)
