"""The queue under load: many workers lease and record trials on one database, and nothing is lost, doubled or slow.

    python perf/queue_load.py                                       # 10,000 trials: 16 workers on SQLite, 64 on PostgreSQL
    python perf/queue_load.py --only postgresql --trials 2000 --pause 2
    python perf/queue_load.py --growth 1000 10000 100000

Workers are processes without models: each leases a trial, pauses as long as a trial might take (on average, exponentially distributed;
0: not at all) and records a made-up result of a hundred numbers. PostgreSQL is a server of one's own from the package pgserver, or
``--url``. Latencies are wall-clock, since they are what a worker waits for: they say something on an idle machine only, and the
load average is printed. Library calls (planning, the decision that everything is done) are in seconds of this process's processor.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from store import outcome, trials

from harness.compose import Trial
from harness.compose.plan import Plan
from harness.engine.run import run_plan
from harness.outcome import Outcome
from harness.store import open_store, process

WORKERS = {"sqlite": 16, "postgresql": 64}


@contextmanager
def database(kind: str, given: str | None) -> Iterator[str]:
    """URL of an empty database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/harness.db"
        return
    if given:
        yield given
        return
    import pgserver

    folder = tempfile.mkdtemp(prefix="pg")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    server.psql("ALTER SYSTEM SET max_connections = 200;")
    server.cleanup()
    server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


def work(url: str, planned: list[Trial], pause: float, made: dict[int, Outcome], seed: int) -> dict[str, list]:
    """What a worker does; seconds that its leases and records took, and the digests that it recorded."""
    store, lease, dice = open_store(url), process.new_lease(), random.Random(seed)
    waiting = [trial.digest for trial in planned]
    took: dict[str, list[float]] = {"lease": [], "record": [], "lease, processor": [], "record, processor": []}
    recorded = []
    while True:
        began, cpu = time.perf_counter(), time.process_time()
        digest = store.claim(waiting, lease, Path("/results/trials"))
        if digest is None:
            break
        took["lease"].append(time.perf_counter() - began)
        took["lease, processor"].append(time.process_time() - cpu)
        waiting = waiting[waiting.index(digest) + 1 :]
        if pause:
            time.sleep(dice.expovariate(1 / pause))
        began, cpu = time.perf_counter(), time.process_time()
        if store.finish(digest, lease.token, made[int(digest, 16) % len(made)]):
            recorded.append(digest)
        took["record"].append(time.perf_counter() - began)
        took["record, processor"].append(time.process_time() - cpu)
    return took | {"recorded": recorded}


def load(kind: str, url: str, planned: list[Trial], workers: int, pause: float) -> bool:
    """Plan, lease and record all, tell how long it took; whether nothing was lost or doubled."""
    store = open_store(url)
    store.plan(planned)
    made = {number: outcome(planned[number], 100) for number in range(8)}
    began = time.monotonic()
    pipes = []
    for number in range(workers):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            with os.fdopen(writing, "w") as stream:
                json.dump(work(url, planned, pause, made, number), stream)
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    told = []
    for pipe in pipes:
        with os.fdopen(pipe) as stream:
            told.append(json.load(stream))
    for _ in pipes:
        os.wait()
    seconds = time.monotonic() - began
    counts = Counter(digest for one in told for digest in one["recorded"])
    states = Counter(store.states().values())
    attempts = Counter(row.attempts for row in store.trials())
    good = (
        states == {"done": len(planned)} and len(counts) == len(planned) and set(counts.values()) == {1} and attempts == {1: len(planned)}
    )
    print(
        f"{kind}: {len(planned)} trials by {workers} workers, {pause:g} s a trial: {seconds:.1f} s, {len(planned) / seconds:.0f} a second; "
        f"{dict(states)}, recorded twice {sum(count > 1 for count in counts.values())}, attempts {dict(attempts)}, "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    for what in ("lease", "record", "lease, processor", "record, processor"):
        times = 1000 * np.array([value for one in told for value in one[what]])
        p50, p95, p99 = np.percentile(times, [50, 95, 99])
        print(f"  {what:17} p50 {p50:7.1f} ms, p95 {p95:7.1f} ms, p99 {p99:7.1f} ms, longest {times.max():.0f} ms")
    return good


def growth(kind: str, url: str, count: int) -> None:
    """Library calls on ``count`` trials."""
    planned = list(trials(count))
    store = open_store(url)
    times = {}

    def timed(what: str, call) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        call()
        times[what] = (time.process_time() - cpu, time.perf_counter() - began)

    timed("plan", lambda: store.plan(planned))
    timed("plan again", lambda: store.plan(planned))
    lease = process.new_lease()
    order = [trial.digest for trial in planned]
    timed("lease the first", lambda: store.claim(order, lease, Path("/results")))
    timed("lease the last", lambda: store.claim(order[-1:], lease, Path("/results")))
    with store._write() as connection:
        connection.exec_driver_sql("UPDATE trials SET state = 'done', token = NULL, finished = created, started = created")
    timed("lease, all done", lambda: store.claim(order, lease, Path("/results")))
    timed("all is done", lambda: run_plan(Plan(planned, {}), url, data_dirs={}))
    told = ", ".join(f"{what} {cpu:.3f} ({wall:.3f})" for what, (cpu, wall) in times.items())
    print(f"{kind}, {count} trials, s of the processor (wall): {told}")


def main() -> int:
    """Parse, load, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that a trial takes")
    parser.add_argument("--only", choices=tuple(WORKERS))
    parser.add_argument("--url", help="of an empty PostgreSQL database")
    parser.add_argument("--growth", type=int, nargs="*", default=[])
    given = parser.parse_args()
    good = True
    for kind in [given.only] if given.only else WORKERS:
        for count in given.growth:
            with database(kind, given.url) as url:
                growth(kind, url, count)
        if not given.growth:
            with database(kind, given.url) as url:
                good &= load(kind, url, list(trials(given.trials)), given.workers or WORKERS[kind], given.pause)
    print("PASSED" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
