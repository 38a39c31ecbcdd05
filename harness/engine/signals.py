"""Forking and signals: what a child must not inherit, and how a run is interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def fork() -> int:
    """``os.fork`` of a process that dies with its parent and handles interrupts in the default way."""
    parent = os.getpid()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()  # or both processes would write what is buffered
    # An interrupt right after the fork would otherwise raise KeyboardInterrupt in the child, as if it were the parent.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    pid = os.fork()
    if pid == 0:
        for number in _INTERRUPTS:
            signal.signal(number, signal.SIG_DFL)
        die_with(parent)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal as soon as its parent ends (Linux; elsewhere leases alone must do)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does, unless they are ignored (``nohup``); only the main thread can."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        wanted = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, interrupt) for number in wanted}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
