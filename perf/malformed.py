"""Thousands of malformed inputs: none may end in a traceback, hang, or be taken for right.

    python perf/malformed.py --cases 5000                 # shared among all areas; goes on where it stopped
    python perf/malformed.py --only readers --cases 300 --seed 7
    python perf/malformed.py --only readers --number 41   # one case again, and what it did

Cases come from `tests/breaking`: datasets of every format, registries, flags, exports, baselines, weights, databases, config files and
plugins, each broken at random (the same for the same seed) and run in a process of its own, which may wait 90 s, compute 30 s and ask
for 3 GiB. What became of each is a line of ``--log``; those in which
nothing was wrong are not run again. Exit code 0 if nothing was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # a pool of threads does not survive a fork
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from breaking import AREAS, area
from breaking.case import run


def main() -> int:
    """Parse, break, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[*AREAS], action="append")
    parser.add_argument("--number", type=int, help="of one case, which is run whether it stands in the log or not")
    parser.add_argument("--log", type=Path, default=Path("malformed.jsonl"))
    given = parser.parse_args()
    names = given.only or [*AREAS]
    done = {}
    if given.log.exists():
        for line in given.log.read_text().splitlines():
            row = json.loads(line)
            done[row["area"], row["seed"], row["number"]] = row
    began = time.monotonic()
    for name in names:
        each = -(-given.cases * AREAS[name] // sum(AREAS[name] for name in names))
        numbers = [given.number] if given.number is not None else range(each)
        todo = [
            number
            for number in numbers
            if given.number is not None
            or "what" not in done.get((name, given.seed, number), {})
            or "wrong" in done[name, given.seed, number]
        ]
        if not todo:
            continue
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as shared:
            area(name).prepare(Path(shared))
            for number in todo:
                row = {"area": name, "seed": given.seed, "number": number, **run(name, number, given.seed, Path(shared))}
                done[name, given.seed, number] = row
                if given.number is None:
                    with given.log.open("a") as log:
                        log.write(json.dumps(row) + "\n")
                else:
                    print(json.dumps(row, indent=1))
                if "wrong" in row and given.number is None:
                    print(f"{name} {number}: {row['what'][:120]}: {row['wrong'][:400]}", flush=True)
    rows = [row for key, row in done.items() if key[0] in names and key[1] == given.seed]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["area"]][row["wrong"].partition(":")[0] if "wrong" in row else "taken" if row.get("taken") else "refused"] += 1
    for name, count in counts.items():
        print(f"{name:11} {count.total():5} cases: {', '.join(f'{how} {many}' for how, many in sorted(count.items()))}")
    wrong = sum("wrong" in row for row in rows)
    print(f"{len(rows)} cases, {wrong} wrong, {time.monotonic() - began:.0f} s: {'FAILED' if wrong else 'PASSED'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
