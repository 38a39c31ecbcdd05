"""Kill `harness run` again and again, and see whether anything is lost, doubled or changed.

    python perf/kill_test.py --kills 50 -- -b scenes-classification -m gap -m gem --seeds 3 --set schedule.epochs=2

What follows `--` is passed to `harness run`. One undisturbed run yields the reference. Then the same command is
started on a new database, and `kill -9` hits a random trial's process or the whole run at random moments; a run
that has ended is started again. After the last kill, one clean run must bring every trial to its end, with the
reference's metrics, bit for bit. Exit code 0 if so, 1 if not. Needs Linux (it finds the processes in /proc).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from harness.store import Result, open_store


def start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """`harness run` in the background, with everything it writes in ``folder``."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "harness", "run", *arguments, "--db", f"sqlite:///{folder}/harness.db"]
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output)


def children(pid: int) -> list[int]:
    """The processes forked by ``pid``."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def results(folder: Path) -> dict[str, Result]:
    """The trials done so far, by digest."""
    return {result.digest: result for result in open_store(f"sqlite:///{folder}/harness.db", read_only=True).results()}


def disturb(arguments: list[str], folder: Path, kills: int, parents: float, gap: float, dice: random.Random) -> Counter[str]:
    """Run and kill, ``kills`` times; counts what happened."""
    happened: Counter[str] = Counter()
    run = None
    while happened["trials killed"] + happened["runs killed"] < kills:
        if run is None or run.poll() is not None:
            if run is not None:
                happened["runs that ended before the next kill"] += 1
            if run is not None and run.returncode == 0:  # all done: forget it all, or nothing is left to disturb
                shutil.rmtree(folder)
                happened["times all was done, and begun anew"] += 1
            run = start(arguments, folder)
            happened["runs started"] += 1
        time.sleep(dice.uniform(0, gap))
        trials = children(run.pid)
        if dice.random() < parents:
            run.kill()
            run.wait()
            run = None
            happened["runs killed"] += 1
        elif trials:
            try:
                os.kill(dice.choice(trials), signal.SIGKILL)
                happened["trials killed"] += 1
            except ProcessLookupError:
                pass
    if run is not None:
        run.kill()
        run.wait()
    return happened


def main() -> int:
    """Parse, disturb, compare, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--parents", type=float, default=0.3, help="share of the kills that hit the whole run")
    parser.add_argument("--gap", type=float, default=12.0, help="longest time between two kills, in seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("arguments", nargs="+", help="of harness run")
    given = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="kill-test-"))
    began = time.monotonic()

    reference_run = start(given.arguments, base / "reference")
    if reference_run.wait():
        print((base / "reference" / "output.txt").read_text())
        print(f"the undisturbed run failed with exit code {reference_run.returncode}")
        return 1
    reference = results(base / "reference")
    print(f"undisturbed: {len(reference)} trials in {time.monotonic() - began:.0f} s")

    happened = disturb(given.arguments, base / "disturbed", given.kills, given.parents, given.gap, random.Random(given.seed))
    before = len(results(base / "disturbed"))
    code = start(given.arguments, base / "disturbed").wait()
    found = results(base / "disturbed")
    for what, count in sorted(happened.items()):
        print(f"{what}: {count}")
    print(f"last, clean run: exit code {code}, {before} trials done before it, {len(found)} after it")

    differ = [digest for digest in reference if digest not in found or dict(found[digest].metrics) != dict(reference[digest].metrics)]
    extra = [digest for digest in found if digest not in reference]
    for digest in differ:
        print(f"differs: {digest}: {dict(reference[digest].metrics)} against {dict(found[digest].metrics) if digest in found else None}")
    good = not differ and not extra and code == 0
    print(f"{'PASSED' if good else 'FAILED'}: {len(reference) - len(differ)} of {len(reference)} trials equal, {len(extra)} too many")
    if good:
        shutil.rmtree(base)
    else:
        print(f"everything is in {base}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
