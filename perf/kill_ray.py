"""A Ray of two nodes on this machine whose workers `harness submit` starts, for `kill_workers.py`: they, their actors, the node and the
command itself may be killed at any time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

NODE = "HARNESS_KILL_NODE"

# Ray's workers are commands of their own, so what is made up has to reach them this way. They say that they are on another machine:
# a lease of one that was killed binds until it expires.
MADE_UP = """
import os, sys
if os.environ.get("{node}") and "harness.engine.launchers.bound" in sys.orig_argv:
    sys.path.insert(0, {perf!r})
    from harness.engine import prepare
    from harness.store import process
    import kill_workers
    kill_workers.hurry({seconds})
    prepare.trial_function = lambda files: kill_workers.made_up
    process.host = lambda: os.environ["{node}"]
"""


class Ray:
    """Two nodes with a core each, and `harness submit` on them."""

    def __init__(self, url: str, seconds: float | None):
        """
        Args:
            seconds: that a made-up trial takes; ``None``: trials are trained.
        """
        from ray.cluster_utils import Cluster

        self._url = url
        if seconds is not None:
            Path("sitecustomize.py").write_text(MADE_UP.format(node=NODE, perf=str(Path(__file__).parent), seconds=seconds))
            os.environ["PYTHONPATH"] = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
        self._cluster: Any = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "env_vars": {NODE: "node-1"}}
        )
        self._count = 1
        self._second = self._add()
        self._submitted: subprocess.Popen[bytes] | None = None

    def _add(self) -> Any:
        self._count += 1
        return self._cluster.add_node(num_cpus=1, env_vars={NODE: f"node-{self._count}"})

    def keep(self, selected: list[str]) -> bool:
        """Have `harness submit` run on what is ``selected``; whether it had ended."""
        ended = self._submitted is not None and self._submitted.poll() is not None
        if self._submitted is None or ended:
            command = [sys.executable, "-m", "harness", "submit", *selected, "--db", self._url, "--ray", self._cluster.address]
            with open("submit.txt", "ab") as log:
                self._submitted = subprocess.Popen(command, stdout=log, stderr=log)
        return ended

    def lose_a_node(self) -> bool:
        """One node is killed with all that runs there; whether another one comes: on a busy machine Ray gives up on its own."""
        self._cluster.remove_node(self._second, allow_graceful=False)
        for _ in range(2):
            with contextlib.suppress(Exception):
                self._second = self._add()
                return True
        return False

    def end(self) -> None:
        """Interrupt the command and end the nodes."""
        if self._submitted is not None:
            self._submitted.send_signal(signal.SIGCONT)
            self._submitted.send_signal(signal.SIGINT)
            try:
                self._submitted.wait(60)
            except subprocess.TimeoutExpired:
                self._submitted.kill()
        with contextlib.suppress(Exception):  # of a Ray that is half gone
            self._cluster.shutdown()
