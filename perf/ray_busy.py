"""Eight equal trials on a Ray of two nodes with two slots each: how busy they are, and how soon a trial begins after the one before.

    python perf/ray_busy.py                 # about two minutes, on an idle machine; needs attention-harness[ray]

`harness submit` starts four workers, which import OpenMMLab as ever; their trials then sleep, so that two cores are enough for four of
them. Busy is the share of the slots' time from the first trial's begin to the last one's end; the begin is when the trial's own process
calls it, the end when its result is stored. How long the command took before the first trial began is told besides.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

REGISTRY = """
benchmarks:
  tiny:
    family: classification
    tier: synthetic
    data: {format: synthetic, train: 24, test: 12, size: 32}
    model: {backbone: resnet-narrow}
"""
SLOTS = 4

# a worker is a command of its own, which has to be told this way
ASLEEP = """
import sys
if "harness.engine.launchers.bound" in sys.orig_argv:
    from harness.engine import prepare

    imported = prepare.trial_function

    def trial_function(files):
        imported(files)

        def function(trial, **_):
            import os, time
            from harness.outcome import Cost, Outcome

            began = time.time()
            time.sleep({seconds})
            labels = {{"worker": str(os.getppid()), "began": str(began)}}
            return Outcome(metrics={{"top1": 50.0, "top5": 90.0}}, cost=Cost(params=1), labels=labels)

        return function

    prepare.trial_function = trial_function
"""


def main() -> int:
    """Start, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=25.0, help="that a trial takes")
    given = parser.parse_args()
    from ray.cluster_utils import Cluster

    from harness.store import open_store

    with tempfile.TemporaryDirectory(prefix="ray-busy-") as here:
        os.chdir(here)
        Path("registry.yaml").write_text(REGISTRY)
        Path("sitecustomize.py").write_text(ASLEEP.format(seconds=given.seconds))
        os.environ |= {"HARNESS_CACHE": f"{here}/cache", "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": SLOTS // 2, "include_dashboard": False})
        cluster.add_node(num_cpus=SLOTS // 2)
        began = time.time()
        command = [sys.executable, "-m", "harness", "submit", "-b", "tiny", "-m", "gap", "-m", "gem", "--seeds", str(SLOTS)]
        done = subprocess.run([*command, "--db", f"sqlite:///{here}/h.db", "--ray", cluster.address], capture_output=True, text=True)
        cluster.shutdown()
        results = open_store(f"sqlite:///{here}/h.db", read_only=True).results()
        os.chdir("/")
    if done.returncode or len(results) != 2 * SLOTS:
        print(done.stderr[-2000:])
        return 1
    spans = sorted((float(result.labels["began"]), result.finished, result.labels["worker"]) for result in results)
    first, last = spans[0][0], max(end for _, end, _ in spans)
    of_workers: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for start, end, worker in spans:
        of_workers[worker].append((start, end))
    busy = sum(end - start for start, end, _ in spans) / (SLOTS * (last - first))
    waits = [after[0] - before[1] for some in of_workers.values() for before, after in pairwise(some)]
    good = busy >= 0.9 and max(waits) < 1.0
    print(f"{len(spans)} trials of {given.seconds:g} s on {SLOTS} slots of 2 Ray nodes, by {len(of_workers)} workers")
    late = ", ".join(f"{some[0][0] - first:.1f}" for some in of_workers.values())
    print(f"the first began {first - began:.1f} s after the command, each worker's first so many s later: {late}")
    print(f"slots busy {100 * busy:.1f} % (90 wanted)")
    print(f"a trial after a worker's first began after {min(waits):.2f} to {max(waits):.2f} s (1 allowed)")
    print(f"load average {os.getloadavg()[0]:.1f}: {'PASSED' if good else 'FAILED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
