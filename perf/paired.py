"""Time and peak memory of several ways to compute the same thing, taken in turns in one process."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

# the profiler reports its own start and stop on stderr otherwise
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import torch
from torch.profiler import ProfilerActivity, profile

Step = Callable[[], None]

ROUNDS = ((0.3, 5), (1.0, 3), (float("inf"), 2))
"""Seconds of a pass, and the least number of rounds up to there."""

LONG = 1.0
"""Seconds from which the pass for the memory is good enough to count as a round."""


@dataclass(frozen=True)
class Ratio:
    """The first side against another one."""

    speed: float
    """Seconds of the other over seconds of the first, the median over rounds."""
    memory: float
    """Peak bytes of the first over those of the other."""
    ours_ms: float
    ours_mb: float


def seconds(step: Step, cuda: bool) -> float:
    """One pass: CUDA events on a GPU; on one thread the processor's time, which other processes do not add to."""
    if not cuda:
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


def peak_bytes(step: Step, cuda: bool) -> int:
    """The most that one pass has allocated at a time beyond what was there before it.

    Everything that goes through torch's allocators counts, scratch within an operator too; on the CPU by the allocation
    events of ``torch.profiler``. The work space of a linked library (oneDNN, MKL) is not seen.
    """
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        step()
    live = peak = 0
    events = (e for e in trace.profiler.kineto_results.events() if e.name() == "[memory]")
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def compare(sides: list[Step], *, cuda: bool, budget: float = 1.0) -> list[Ratio]:
    """The first side against each of the others.

    Each side runs once for its memory. Then all run in turns, each round in the reverse order of the last, for about ``budget``
    seconds and at least as many rounds as :data:`ROUNDS` says. A ratio is taken within each round, so that what the machine does
    meanwhile meets both sides, and the median over the rounds counts.
    """
    memory: list[int] = []
    first = [seconds(lambda step=step: memory.append(peak_bytes(step, cuda)), cuda) for step in sides]
    times: list[list[float]] = [[] for _ in sides]
    if min(first) > LONG:
        times = [[spent] for spent in first]
    rounds = next(count for longest, count in ROUNDS if min(first) <= longest)
    while len(times[0]) < rounds or sum(map(sum, times)) < budget:
        order = list(zip(sides, times, strict=True))
        for step, log in order if len(times[0]) % 2 else reversed(order):
            log.append(seconds(step, cuda))
    ours = times[0]
    return [
        Ratio(
            speed=statistics.median(theirs / mine for mine, theirs in zip(ours, other, strict=True)),
            memory=memory[0] / max(peak, 1),
            ours_ms=statistics.median(ours) * 1e3,
            ours_mb=memory[0] / 2**20,
        )
        for other, peak in zip(times[1:], memory[1:], strict=True)
    ]
