"""Workers on a Ray cluster: an actor each, which holds what the worker needs and starts it as a process of its own.

Forking inside Ray's processes, which have many threads, is known to hang (ray-project/ray#28328).
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from harness.engine.launchers import Need
from harness.engine.launchers.bound import Bound
from harness.errors import UsageError

MEND = "Run `pip install 'attention-harness[ray]'`."


_PATIENCE = 120.0
"""Seconds for the nodes to look at their GPUs."""


def memory_here() -> int:
    """Bytes of the smallest GPU that this process sees; 0 where it sees none."""
    from harness.engine.prepare import tried_gpus

    return min((memory for _, _, memory in tried_gpus()[0]), default=0)


class _Worker:
    def __init__(self, ray: Any, actor: Any):
        self._ray = ray
        self._actor = actor
        self._answer = actor.poll.remote()
        self._told: tuple[int, str] | None = None

    def poll(self) -> tuple[int, str] | None:
        if self._told is not None:
            return self._told
        ready, _ = self._ray.wait([self._answer], timeout=0)
        if not ready:  # it waits for room, or is about to answer
            return None
        try:
            self._told = self._ray.get(self._answer)
        except self._ray.exceptions.RayError as error:
            self._told = -1, f"Ray lost it: {error}"
        if self._told is None:
            self._answer = self._actor.poll.remote()
        else:
            self._ray.kill(self._actor)  # gives its room to others
        return self._told

    def stop(self) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.get(self._actor.stop.remote(), timeout=1)
        self._ray.kill(self._actor)


class RayCluster:
    """A Ray cluster that runs already, or one on this machine."""

    def __init__(self, where: str, need: Need, options: Mapping[str, str]):
        """
        Args:
            where: an address as ``ray.init`` takes it; ``auto`` is the cluster that this machine belongs to.
            options: further resources of a worker, as Ray knows them: name -> how much.

        Raises:
            UsageError: Ray is not installed, there is no such cluster, or an option is no number.
        """
        try:
            self._ray = ray = importlib.import_module("ray")  # not everybody has it, and its types
        except ImportError:
            raise UsageError(f"Ray is not installed. {MEND}") from None
        try:
            resources = {name: float(value) for name, value in options.items()}
        except ValueError as error:
            raise UsageError(f"--option: a resource of Ray has a number ({error}). Write e.g. tpu=1.") from None
        try:
            ray.init(address=where, log_to_driver=False, include_dashboard=False if where == "local" else None, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"no Ray cluster at '{where}': {error}. Start one with `ray start --head`, or write --ray local.") from None
        self._told = need.gpus is not None
        self._gpus = need.gpus if need.gpus is not None else float(ray.cluster_resources().get("GPU", 0) > 0)
        memory = None if need.memory is None else int(need.memory * 2**30)
        self._wants = {"CPU": need.cpus, "GPU": self._gpus, "memory": memory or 0, **resources}
        self._actor = ray.remote(num_cpus=need.cpus, num_gpus=self._gpus, memory=memory, resources=resources, max_restarts=0)(Bound)

    @property
    def device(self) -> str:
        """Of a worker: Ray shows it its own GPUs only."""
        return "cuda" if self._gpus else "cpu"

    def gpu_memory(self) -> int | None:
        """Of the smallest of those that the nodes show; ``None`` where one shows none."""
        if self._told or not self._gpus:
            return None
        nodes = [node["NodeID"] for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("GPU")]
        asked = self._ray.remote(num_cpus=0, num_gpus=0.01, max_retries=0)(memory_here)
        strategy = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        try:
            answers = [asked.options(scheduling_strategy=strategy(node, soft=False)).remote() for node in nodes]
            return min(self._ray.get(answers, timeout=_PATIENCE)) or None
        except self._ray.exceptions.RayError:  # busy, or gone
            return None

    def room(self, gpus: float | None = None) -> int:
        """For how many workers there is room, were nobody else there."""
        total, wants = self._ray.cluster_resources(), self._wants | ({} if gpus is None else {"GPU": gpus})
        return int(min(total.get(name, 0.0) / wanted for name, wanted in wants.items() if wanted) + 1e-6)

    def start(self, arguments: Sequence[str], folder: str, environment: Mapping[str, str], gpus: float | None = None) -> _Worker:
        """A worker; it begins as soon as there is room."""
        actor = self._actor if gpus is None else self._actor.options(num_gpus=gpus)
        return _Worker(self._ray, actor.remote(list(arguments), folder, dict(environment)))

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()


cluster = RayCluster
