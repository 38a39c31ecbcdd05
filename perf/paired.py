"""Time and peak memory of two ways to compute the same thing, taken in turns in one process."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Peak bytes of the tensors that operators create and that are alive at the same time (their scratch is not seen)."""

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak, self._seen = 0, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        known = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in known and storage._cdata not in self._seen:
                    self._add(storage)
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._seen.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size


@dataclass(frozen=True)
class Pair:
    """Ours against plain."""

    ours_ms: float
    plain_ms: float
    ours_mb: float
    plain_mb: float

    @property
    def speedup(self) -> float:
        """How many times faster ours is."""
        return self.plain_ms / self.ours_ms

    @property
    def memory(self) -> float:
        """Ours over plain."""
        return self.ours_mb / self.plain_mb


def _seconds(step: Callable[[], None], cuda: bool) -> float:
    if not cuda:
        # on one thread the time of the processor is the time of the work, whatever else runs on the machine
        clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
        start = clock()
        step()
        return clock() - start
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    step()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1e3


def _megabytes(step: Callable[[], None], cuda: bool) -> float:
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with LiveBytes() as counter:
        step()
    return counter.peak / 2**20


def pair(ours: Callable[[], None], plain: Callable[[], None], *, cuda: bool, seconds: float = 1.0, least: int = 5) -> Pair:
    """Run both in turns for about ``seconds``, at least ``least`` times each; the fastest run of each counts.

    Whatever else the machine does only ever adds time, so that the minimum is the least disturbed.
    """
    memory = [_megabytes(step, cuda) for step in (ours, plain)]
    times: tuple[list[float], list[float]] = ([], [])
    while len(times[0]) < least or sum(map(sum, times)) < seconds:
        for step, log in zip((ours, plain), times, strict=True):
            log.append(_seconds(step, cuda))
    return Pair(min(times[0]) * 1e3, min(times[1]) * 1e3, *memory)
