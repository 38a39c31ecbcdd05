"""The store under faults: torn reads, migrations killed half-way, backups while others write.

    python perf/store_faults.py torn --reads 1000            # PostgreSQL (pgserver) and SQLite: is every trial read whole?
    python perf/store_faults.py migration --trials 100000    # an upgrade of a large store, killed at random moments
    python perf/store_faults.py backup --copies 20           # copies taken while trials end: is each a store of one moment?

Exit code 0 if nothing is torn, lost or changed, 1 if not.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from queue_load import database
from store import outcome, trials

from harness.store import Result, Store, migrate, open_store, process
from harness.store.backup import backup
from harness.store.database import connect, current, upgrade
from harness.store.url import parse

NUMBERS = 40


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Trials end meanwhile, one after the other, in another process."""
    pid = os.fork()
    if pid == 0:
        store, lease = open_store(url), process.new_lease()
        for trial in trials(1_000_000):
            store.plan([trial])
            digest = store.claim([trial.digest], lease, Path("/results"))
            if digest:
                store.finish(digest, lease.token, outcome(trial, NUMBERS))
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def torn(result: Result) -> bool:
    """Whether a trial that is done lacks some of its numbers."""
    return len(result.metrics) + len(result.diagnostics) + len(result.durations) != NUMBERS or result.cost.params is None


def torn_reads(reads: int) -> bool:
    """Read while trials end."""
    good = True
    for kind in ("postgresql", "sqlite"):
        with database(kind, None) as url:
            open_store(url)
            with writing(url):
                reader, rows, bad, sizes = open_store(url, read_only=True), 0, 0, set()
                for _ in range(reads):
                    found = reader.results()
                    rows, bad = rows + len(found), bad + sum(map(torn, found))
                    sizes.add(len(found))
        print(f"{kind}: {reads} reads while trials ended ({len(sizes)} different numbers of trials), {rows} rows, torn: {bad}")
        good &= bad == 0 and len(sizes) > reads // 20
    return good


def _content(file: Path) -> tuple[int, str]:
    """Trials and a digest of all they have measured, by name."""
    with sqlite3.connect(file) as connection:
        count = connection.execute("SELECT count(*) FROM trials").fetchone()[0]
        found = hashlib.sha256()
        query = "SELECT trial, kind, names.name, value FROM numbers JOIN names ON names.id = numbers.name ORDER BY trial, kind, names.name"
        for row in connection.execute(query):
            found.update(repr(row).encode())
        for row in connection.execute("SELECT digest, benchmark, method, seed, state, started FROM trials ORDER BY digest"):
            found.update(repr(row).encode())
    return count, found.hexdigest()


def _filled(file: Path, count: int) -> None:
    store: Store = open_store(f"sqlite:///{file}")
    store.plan(trials(count))
    first = next(trials(1))
    lease = process.new_lease()
    assert store.claim([first.digest], lease, Path("/results")) and store.finish(first.digest, lease.token, outcome(first, NUMBERS))
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE trials SET state = 'done', started = created, finished = created + 1")
        connection.execute(
            "INSERT OR IGNORE INTO numbers SELECT digest, id, abs(random()) / 1e18 FROM trials, names "
            "WHERE names.kind = 'metric' OR names.id % 4 = 0"
        )


def killed_migrations(count: int, kills: int) -> bool:
    """Upgrade a large store of before, and kill that."""
    dice = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "harness.db"
        url = f"sqlite:///{file}"
        _filled(file, count)
        before = _content(file)
        settings = migrate.config()
        with connect(parse(url)).execution_options(writes=True).begin() as connection:
            settings.attributes["connection"] = connection
            command.downgrade(settings, "0004")
        print(f"{before[0]} trials, {file.stat().st_size / 1e6:.0f} MB, brought back to schema {current(url)}")
        upgrading = [sys.executable, "-m", "harness", "db", "upgrade", "--db", url]
        began = time.monotonic()
        old, copy = Path(folder) / "old.db", Path(folder) / "copy.db"
        shutil.copy(file, old)
        shutil.copy(file, copy)
        subprocess.run([*upgrading[:-1], f"sqlite:///{copy}"], check=True, capture_output=True)
        whole = time.monotonic() - began
        good = _content(copy) == before
        print(f"an upgrade left alone takes {whole:.1f} s, process and all; equal: {good}")
        halves = 0
        for _ in range(kills):
            run = subprocess.Popen(upgrading, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(dice.uniform(0.2, 0.9) * whole)
            run.kill()
            run.wait()
            if current(url) == "0004":
                halves += 1
            else:  # it was faster: once more
                shutil.copy(old, file)
        upgrade(url)
        equal = _content(file) == before
        print(f"killed {halves} times half-way, then upgraded: equal: {equal}")
        return good and equal and halves > 0


def backups(copies: int) -> bool:
    """Copy while trials end."""
    good = True
    for kind in ("postgresql", "sqlite"):
        with database(kind, None) as url, tempfile.TemporaryDirectory() as folder:
            open_store(url)
            counts = []
            with writing(url):
                for number in range(copies):
                    file = Path(folder) / f"{number}.db"
                    count = backup(url, file)
                    copy = open_store(f"sqlite:///{file}", read_only=True)
                    found, states = copy.results(), copy.states()
                    good &= not any(map(torn, found)) and len(states) == count and "running" not in states.values()
                    good &= len(found) == sum(state == "done" for state in states.values())
                    counts.append(len(found))
            good &= counts == sorted(counts) and counts[-1] > counts[0]
            print(f"{kind}: {copies} copies while trials ended, of {counts[0]} to {counts[-1]} that were done; all whole: {good}")
    return good


def main() -> int:
    """Parse, try, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("torn", "migration", "backup"))
    parser.add_argument("--reads", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--copies", type=int, default=20)
    given = parser.parse_args()
    tests: dict[str, Callable[[], bool]] = {
        "torn": lambda: torn_reads(given.reads),
        "migration": lambda: killed_migrations(given.trials, given.kills),
        "backup": lambda: backups(given.copies),
    }
    good = tests[given.what]()
    print("PASSED" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
