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
    if fields := _status(pid):
        return None if fields[0] in "ZX" else fields[19]
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "alive"


def _status(pid: int) -> list[str]:
    """What Linux says of a process from its state on; nothing where there is none."""
    try:
        # the second field is the program's name in parentheses and may itself hold blanks and parentheses
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return fields if len(fields) > 19 else []


def is_stopped(pid: int) -> bool:
    """Whether a process has been stopped (Ctrl-Z, say) and does nothing until somebody lets it go on."""
    return _status(pid)[:1] in (["T"], ["t"])


def holder(row: Any) -> str:
    """Who holds the lease in a row of ``trials``, for people."""
    if row.host != host():
        return f"another machine, {row.host.partition('/')[0]}"
    return f"process {row.pid}{', which is stopped' if row.pid is not None and is_stopped(row.pid) else ''}"


def new_lease() -> Lease:
    """A lease held by this process."""
    return Lease(token=uuid.uuid4().hex, host=host(), pid=os.getpid(), process_start=started(os.getpid()) or "")


def is_void(row: Any, now: float) -> bool:
    """Whether the lease in a row of ``trials`` binds nobody any more."""
    expired = row.expires is None or row.expires < now
    if row.host == host():
        return row.pid is None or started(row.pid) != row.process_start or (expired and is_stopped(row.pid))
    return bool(expired)
