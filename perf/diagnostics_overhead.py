"""Seconds of a trial's diagnostics beside those of its test, per family, with the default number of images.

    python perf/diagnostics_overhead.py
    python perf/diagnostics_overhead.py --db sqlite:///results/harness.db

Without --db, trials of one epoch are run on the synthetic benchmarks as they are and with larger test sets, two
seeds each one after another; the second counts, since the first computes the features of frozen backbones. With
--db, the durations of stored trials are read instead.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.store import Result

CASES = (
    # benchmark, method, test images of a larger test set (rooms: per room)
    ("scenes-classification", "simpool", 1000),
    ("scenes-localization", "simpool", 400),
    ("scenes-segmentation", "dnl-add-disentangled-key", 800),
    ("figures-keypoint", "cbam", 800),
    ("rooms", "mst-multi-scene-transformer", 270),
)


def _run(benchmark: str, method: str, override: str | None, into: Path) -> Result:
    """The second of two trials, each in a process of its own as `harness run` starts it."""
    from harness import data
    from harness.analysis import source
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover
    from harness.compose.plan import Selection, plan
    from harness.engine.run import run_plan

    overrides = ("schedule.epochs=1", *((override,) if override else ()))
    files = discover()
    planned = plan(Selection(methods=(method,), benchmarks=(benchmark,), seeds=2, overrides=overrides), load_catalog(), files)
    folder = data.ensure(planned.tasks[benchmark], None)
    url = f"sqlite:///{into}/harness.db"
    run_plan(planned, url, data_dirs={benchmark: folder}, workers=1, device="cpu", results_dir=into, plugin_files=files)
    found = source.results(url)
    if len(found) < 2:
        raise SystemExit(f"{method} on {benchmark} failed: see {into}")
    return max(found, key=lambda result: result.seed)


def _print(results: Iterable[Result], what: str) -> None:
    ratios: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for result in results:
        if result.durations.get("test") and "diagnostics" in result.durations:
            ratios[result.family].append((result.durations["diagnostics"], result.durations["test"]))
    for family, pairs in ratios.items():
        spent, test = (statistics.median(column) for column in zip(*pairs, strict=True))
        shares = sorted(100 * one / other for one, other in pairs)
        spread = f" ({shares[0]:.1f} to {shares[-1]:.1f}, {len(shares)} trials)" if len(shares) > 1 else ""
        print(
            f"{family:20} {what:12} diagnostics {spent:6.3f} s, test {test:7.2f} s: {statistics.median(shares):5.1f} %{spread}", flush=True
        )


def main() -> None:
    """Print a line per family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", help="read stored trials instead of running some")
    parser.add_argument("--benchmark", choices=[case[0] for case in CASES], help="only this one")
    options = parser.parse_args()
    if options.db:
        from harness.analysis import source

        _print(source.results(options.db), "stored")
        return
    for benchmark, method, images in CASES:
        for override in (None, f"data.test={images}"):
            if options.benchmark in (None, benchmark):
                # a process for each, so that none starts from what another has imported and cached
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        with tempfile.TemporaryDirectory() as folder:
                            _print([_run(benchmark, method, override, Path(folder))], "as it is" if override is None else override)
                        code = 0
                    finally:
                        os._exit(code)
                if os.waitpid(pid, 0)[1]:
                    raise SystemExit(1)


if __name__ == "__main__":
    main()
