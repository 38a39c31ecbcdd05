"""Which device has room for one more trial."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from harness.engine.child import Child

CONTEXT = 700 << 20
"""Bytes that a process takes on a GPU before it computes anything: CUDA's context and the kernels of its libraries."""

FILLED = 0.9
"""Share of a GPU's memory that trials may take."""

_SETTLED = 30
"""Forward passes after which a trial has taken what it needs, as a rule."""


class Places:
    """Hands out devices.

    What a trial takes of a GPU is known once it, or another trial of its benchmark, has made some passes; until then half of what is
    left must be there for it.
    """

    def __init__(self, devices: Sequence[str], memory: Mapping[str, int], per_device: int | None):
        self._devices = devices
        self._memory = memory
        self._per_device = per_device
        self._peaks: dict[str, int] = defaultdict(int)

    def learn(self, running: Iterable[Child]) -> None:
        """See what trials have taken so far."""
        for child in running:
            if child.pulse.memory and child.pulse.count >= _SETTLED:
                name = child.job.trial.benchmark
                self._peaks[name] = max(self._peaks[name], child.pulse.memory + CONTEXT)

    def free(self, benchmark: str, running: Sequence[Child]) -> str | None:
        """The device with the fewest trials, of those that have room for one of ``benchmark``."""
        self.learn(running)
        on: dict[str, list[Child]] = {device: [] for device in self._devices}
        for child in running:
            on[child.job.device].append(child)
        fit = [device for device in self._devices if self._fits(benchmark, device, on[device])]
        return min(fit, key=lambda device: len(on[device]), default=None)

    def alone(self, running: Sequence[Child]) -> str | None:
        """A device without trials."""
        taken = {child.job.device for child in running}
        return next((device for device in self._devices if device not in taken), None)

    def _fits(self, benchmark: str, device: str, there: Sequence[Child]) -> bool:
        if self._per_device is not None:
            return len(there) < self._per_device
        total = self._memory.get(device, 0)
        if not total or not there:
            return True
        left = FILLED * total - sum(self._taken(child, total) for child in there)
        needed = self._peaks[benchmark] or max(left / 2, total / 4)
        return needed <= left

    def _taken(self, child: Child, total: int) -> float:
        known = self._peaks[child.job.trial.benchmark]
        return max(known, child.pulse.memory + CONTEXT) if known else max(child.pulse.memory + CONTEXT, total / 4)
