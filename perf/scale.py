"""How long 10,000 trials take on 8, 64 and 512 GPUs, and where it breaks: a discrete-event simulation from measured times.

    python perf/scale.py                                     # the times below, which docs/scale.md says how to measure
    python perf/scale.py --db sqlite:///results/harness.db   # durations of the trials there, drawn with replacement
    python perf/scale.py --lease 0.02 --record 0.03 --median 600

A worker starts (imports, once), then leases a trial, runs it and records it, over and over; long trials are leased first. The database
serves one lease or record at a time per connection slot, each for its measured seconds of the processor; all wait in one queue.
Workers renew their leases every 15 s, and those without work look again every 2 s. Machines are lost at random, with what ran there;
its lease must expire before anybody takes it.
"""

from __future__ import annotations

import argparse
import heapq
import math
from dataclasses import dataclass

import numpy as np

HEARTBEAT, EXPIRY, LOOK = 15.0, 60.0, 2.0


@dataclass(frozen=True)
class Times:
    """Seconds, as measured."""

    start: float
    """Until a worker leases its first trial: imports."""
    fork: float
    """Between a lease and the first step of a trial's process."""
    lease: float
    record: float
    """Of the database's and the client's processor."""
    renew: float


@dataclass(frozen=True)
class Found:
    """What came out."""

    hours: float
    busy: float
    """Share of the workers' time until the last trial ended in which they ran trials that counted."""
    database: float
    """Share of the time in which a slot of the database was busy."""
    p95: float
    """Seconds from asking for a lease to having it."""
    lost: int
    """Trials that were begun again."""


def simulate(durations: np.ndarray, workers: int, times: Times, slots: int, losses: float, rng: np.random.Generator) -> Found:
    """Run it.

    Args:
        durations: seconds of each trial on one worker.
        slots: calls that the database serves at the same time.
        losses: machines lost per worker and hour; the worker is back after its start.
    """
    waiting = [-float(some) for some in durations]  # a heap whose first is the longest
    heapq.heapify(waiting)
    free = [0.0] * slots
    heapq.heapify(free)
    events = [(times.start * float(rng.uniform(1, 1.5)), number, "ask", 0.0) for number in range(workers)]
    heapq.heapify(events)
    served, useful, last, lost, waits = 0.0, 0.0, 0.0, 0, []
    left = len(waiting)

    def serve(now: float, seconds: float) -> float:
        nonlocal served
        end = max(now, heapq.heappop(free)) + seconds
        heapq.heappush(free, end)
        served += seconds
        return end

    while left:
        now, worker, what, duration = heapq.heappop(events)
        if what == "ask":
            if not waiting:
                serve(now, times.lease)
                heapq.heappush(events, (now + LOOK, worker, "ask", 0.0))
                continue
            duration = -heapq.heappop(waiting)
            begin = serve(now, times.lease)
            waits.append(begin - now)
            dies = float(rng.exponential(3600 / losses)) if losses else math.inf
            if dies < duration:
                lost += 1
                heapq.heappush(events, (begin + dies + EXPIRY, worker, "give back", duration))
            else:
                heapq.heappush(events, (begin + times.fork + duration, worker, "end", duration))
        elif what == "give back":
            heapq.heappush(waiting, -duration)
            heapq.heappush(events, (now - EXPIRY + max(EXPIRY, times.start), worker, "ask", 0.0))
        else:
            served += times.renew * duration / HEARTBEAT
            end = serve(now, times.record)
            useful += duration
            left -= 1
            last = max(last, end)
            heapq.heappush(events, (end, worker, "ask", 0.0))
    return Found(last / 3600, useful / (last * workers), served / (last * slots), float(np.percentile(waits, 95)), lost)


def durations(db: str | None, median: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Seconds of ``count`` trials: as in a store, or spread about a median as those of the shipped benchmarks are."""
    if db is None:
        return rng.lognormal(math.log(median), 0.8, count)
    from harness.store import open_store

    known = [row.seconds for row in open_store(db, read_only=True).trials(states=["done"]) if row.seconds]
    return rng.choice(np.array(known), count)


def main() -> None:
    """Parse, simulate, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--gpus", type=int, nargs="*", default=[8, 64, 512])
    parser.add_argument("--db", help="take the durations of its trials")
    parser.add_argument("--median", type=float, nargs="*", default=[10.0, 120.0, 1800.0], help="seconds of a trial")
    parser.add_argument("--start", type=float, default=10.0)
    parser.add_argument("--fork", type=float, default=0.3)
    parser.add_argument("--lease", type=float, default=0.012)
    parser.add_argument("--record", type=float, default=0.014)
    parser.add_argument("--renew", type=float, default=0.006)
    parser.add_argument("--slots", type=int, default=4, help="cores of the database")
    parser.add_argument("--losses", type=float, default=0.01, help="machines lost per worker and hour")
    given = parser.parse_args()
    times = Times(given.start, given.fork, given.lease, given.record, given.renew)
    print("| median trial | GPUs | hours | busy | database | lease p95 | begun again |\n|--:|--:|--:|--:|--:|--:|--:|")
    for median in [0.0] if given.db else given.median:
        for gpus in given.gpus:
            rng = np.random.default_rng(0)
            some = durations(given.db, median, given.trials, rng)
            found = simulate(some, gpus, times, given.slots, given.losses, rng)
            print(
                f"| {np.median(some):.0f} s | {gpus} | {found.hours:.2f} | {100 * found.busy:.1f} % | {100 * found.database:.1f} % | "
                f"{1000 * found.p95:.0f} ms | {found.lost} |"
            )


if __name__ == "__main__":
    main()
