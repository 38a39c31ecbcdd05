"""One thread for a trial on a CPU: cores are for other trials, and a sum over several threads would depend on their number."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any


@cache
def thread_pools() -> Any:
    """The pools of all native libraries that are loaded; found once, before the first trial is forked."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> None:
    """Have this process compute on one thread: torch, and NumPy's and SciPy's libraries, which scores are computed with.

    On a busy machine the threads of one matrix product spend ten times its seconds on waiting for each other, besides. A pool that is
    told so after a fork starts its threads once more, which spin for 20 ms: call it before the fork, too.
    """
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # of what is yet to be imported
    for pool in thread_pools().lib_controllers:
        if pool.num_threads != 1:
            pool.set_num_threads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
