"""Which processes live: the ground on which a trial is taken over from a run that was killed."""

from __future__ import annotations

import os
import socket
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from harness.store.records import Lease


@cache
def host() -> str:
    """This machine since its last boot, and this process-id namespace of it (containers have their own)."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return f"{socket.gethostname()}/{boot.read_text().strip()[:8]}/{os.readlink(space)[5:-1]}"
    except OSError:  # not Linux
        return socket.gethostname()


def started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; ``None`` if there is no such process.

    Where the system does not tell (not Linux), the answer is the same for every living process.
    """
    try:
        # the second field is the program's name in parentheses and may itself hold blanks and parentheses
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "alive"


def new_lease() -> Lease:
    """A lease held by this process."""
    return Lease(token=uuid.uuid4().hex, host=host(), pid=os.getpid(), process_start=started(os.getpid()) or "")


def is_void(row: Any, now: float) -> bool:
    """Whether the lease in a row of ``trials`` binds nobody any more."""
    if row.host == host():
        return row.pid is None or started(row.pid) != row.process_start
    return row.expires is None or row.expires < now
