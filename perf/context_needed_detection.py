"""What detectors with and without context score on the synthetic detection task, class by class.

    python perf/context_needed_detection.py                            # 8 trials of 50 s
    python perf/context_needed_detection.py --seeds 3 --methods identity gc-block

Whose a glove is only the players tell, at least 34 pixels away from it, where the backbone sees 21: the plain detector (``identity``)
must guess; so must every method where the players' colour means nothing. Two coins that lie upon each other are one to non-maximum
suppression. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
from math import nan

os.environ.setdefault("OMP_NUM_THREADS", "1")

from context_needed import measure

from harness.benchmarks import register

BENCHMARK = "teams-detection"
METHODS = ("identity", "gc-block", "non-local-embedded-gaussian")
SHOWN = ("AP", "AP/red-player", "AP/blue-player", "AP/red-glove", "AP/blue-glove", "AP/coin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    arguments = parser.parse_args()
    register.setup()
    print(f"| method | {' | '.join(SHOWN)} |", f"|---|{'---|' * len(SHOWN)}", sep="\n")
    settings = [(method, method, ()) for method in arguments.methods]
    settings.append(("gc-block", "gc-block, players whose colour means nothing", ("data.cue=false",)))
    floor: dict[str, float] = {}
    for method, title, overrides in settings:
        metrics, floor = measure(BENCHMARK, method, overrides, arguments.seeds)
        print("| " + " | ".join([title, *(f"{metrics.get(name, nan):.1f}" for name in SHOWN)]) + " |", flush=True)
    print("| " + " | ".join(["floor: the training set's densest places", *(f"{floor.get(name, nan):.1f}" for name in SHOWN)]) + " |")


if __name__ == "__main__":
    main()
