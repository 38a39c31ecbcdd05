"""A GPU to oneself for a moment: latency is measured while the other trials on it wait.

Each trial on a GPU holds a shared lock on the GPU's room. Who wants quiet closes the door and waits for the room to be empty; the
others look at the door before each forward pass, and where it is closed, finish what they have begun, leave the room and wait. Locks
are the kernel's (``flock``), so that a trial that is killed holds nothing, and trials of several runs know of each other.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from harness import paths

_PATIENCE = 15.0
"""Seconds to wait for the others; who computes on the CPU all the while disturbs nobody, but cannot say so."""


class Room:
    """A GPU that others may be on."""

    def __init__(self, device: str):
        folder = paths.cache_dir() / "devices"
        folder.mkdir(parents=True, exist_ok=True)
        name = str(getattr(torch.cuda.get_device_properties(torch.device(device)), "uuid", device.replace(":", "-")))
        self._device = device
        self._room, self._door = (os.open(folder / f"{name}.{part}", os.O_RDWR | os.O_CREAT, 0o666) for part in ("room", "door"))
        self._measuring = False
        with suppress(OSError):
            fcntl.flock(self._room, fcntl.LOCK_SH)

    def pass_by(self) -> None:
        """Called before each forward pass: wait outside while somebody measures."""
        if self._measuring:
            return
        try:
            fcntl.flock(self._door, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            torch.cuda.synchronize(self._device)
            fcntl.flock(self._room, fcntl.LOCK_UN)
            fcntl.flock(self._door, fcntl.LOCK_SH)
            fcntl.flock(self._door, fcntl.LOCK_UN)
            fcntl.flock(self._room, fcntl.LOCK_SH)
        else:
            fcntl.flock(self._door, fcntl.LOCK_UN)

    @contextmanager
    def quiet(self) -> Iterator[bool]:
        """Whether the others have left; they may come back afterwards."""
        fcntl.flock(self._room, fcntl.LOCK_UN)  # or two that want quiet would wait for each other
        fcntl.flock(self._door, fcntl.LOCK_EX)
        self._measuring = True
        try:
            yield self._empty()
        finally:
            self._measuring = False
            fcntl.flock(self._door, fcntl.LOCK_UN)
            fcntl.flock(self._room, fcntl.LOCK_SH)

    def _empty(self) -> bool:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self._room, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                if time.monotonic() > until:
                    return False
                time.sleep(0.002)

    def close(self) -> None:
        """Leave for good."""
        for lock in (self._room, self._door):
            fcntl.flock(lock, fcntl.LOCK_UN)  # loader workers have it open, too
            os.close(lock)


_own: Room | None = None


@contextmanager
def staying(device: str) -> Iterator[None]:
    """This trial computes on ``device`` until the end of the block; on a CPU nothing is to be done."""
    global _own
    if not device.startswith("cuda"):
        yield
        return
    _own = Room(device)
    try:
        yield
    finally:
        _own.close()
        _own = None


def pass_by() -> None:
    """Before each forward pass."""
    if _own is not None:
        _own.pass_by()


@contextmanager
def quiet() -> Iterator[bool]:
    """A moment for measuring; ``False`` where others could not be made to wait."""
    if _own is None:
        yield True
        return
    with _own.quiet() as alone:
        yield alone
