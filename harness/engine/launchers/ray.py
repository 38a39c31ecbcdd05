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
        self._gpus = need.gpus if need.gpus is not None else float(ray.cluster_resources().get("GPU", 0) > 0)
        memory = None if need.memory is None else int(need.memory * 2**30)
        self._wants = {"CPU": need.cpus, "GPU": self._gpus, "memory": memory or 0, **resources}
        self._actor = ray.remote(num_cpus=need.cpus, num_gpus=self._gpus, memory=memory, resources=resources, max_restarts=0)(Bound)

    @property
    def device(self) -> str:
        """Of a worker: Ray shows it its own GPUs only."""
        return "cuda" if self._gpus else "cpu"

    def room(self) -> int:
        """For how many workers there is room, were nobody else there."""
        total = self._ray.cluster_resources()
        return int(min(total.get(name, 0.0) / wanted for name, wanted in self._wants.items() if wanted) + 1e-6)

    def start(self, arguments: Sequence[str], folder: str, environment: Mapping[str, str]) -> _Worker:
        """A worker; it begins as soon as there is room."""
        return _Worker(self._ray, self._actor.remote(list(arguments), folder, dict(environment)))

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()


cluster = RayCluster
