"""What the regression check catches: faults of known size in a copy of the sources, and unchanged code with other seeds.

    python perf/gate.py --folder /tmp/gate --seeds 10 --check-seeds 3

Copies the harness to FOLDER/FAULT, edits one line there, runs the three poolings of the quick suite on digits and holds them against
a baseline of the unedited sources, as CI would: `harness run`, `harness check`. What is done is not run again. Faults are

- a fifth and a fiftieth of the temperature of SimPool's softmax, a third and a thirtieth of the learning rate, and the channels of
  global average pooling in another order at test than in training: other code, held against the noise of seeds;
- a score that takes one image of twelve for wrong, and one of hundred: not in the digest of a trial, so any difference is evidence;
- none, with other seeds in changed files: what must not be caught.

Prints a line for each, and the false alarms of the whole check in 200 resamples of the baseline's seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
METHODS = ("gap", "gem", "simpool")


@dataclass(frozen=True)
class Fault:
    """One or more lines that are edited: (file, old, new)."""

    name: str
    method: str
    """Whose result is shown."""
    edits: tuple[tuple[str, str, str], ...]
    caught: bool | None
    """Whether it has to be; ``None`` where it is small."""


_SIMPOOL, _GAP = "plugins/harness_plugins/pooling/simpool.py", "plugins/harness_plugins/pooling/gap.py"
_RATE, _SCORE = "harness/benchmarks/config.py", "harness/benchmarks/classification/mm/__init__.py"
_OTHER_CODE = (
    "plugins/harness_plugins/pooling/frame.py",
    "from __future__ import annotations",
    "from __future__ import annotations\n_EDITED = 1",
)


def _temperature(share: int) -> tuple[tuple[str, str, str], ...]:
    return ((_SIMPOOL, "u.shape[-1] ** -0.5", f"u.shape[-1] ** -0.5 * {share}"),)


def _rate(share: float) -> tuple[tuple[str, str, str], ...]:
    return ((_RATE, '"lr": schedule.lr', f'"lr": schedule.lr * {share}'),)


def _score(one_of: int) -> tuple[tuple[str, str, str], ...]:
    old = "found = guesses == labels[:, None]"
    return ((_SCORE, old, f"{old}\n        found[::{one_of}] = False"),)


FAULTS = (
    Fault(
        "unchanged, other seeds",
        "all",
        (
            _OTHER_CODE,
            ("harness/engine/hooks.py", "self.seed = seed", "self.seed = seed + 1000"),
            ("harness/compose/bare.py", '{"seed": trial.seed}', '{"seed": trial.seed + 1000}'),
        ),
        False,
    ),
    Fault("softmax temperature / 5", "simpool", _temperature(5), None),
    Fault("softmax temperature / 50", "simpool", _temperature(50), None),
    Fault("learning rate / 3", "gap", _rate(1 / 3), None),
    Fault("learning rate / 30", "gap", _rate(1 / 30), True),
    Fault(
        "swapped channels",
        "gap",
        ((_GAP, "return x.mean((2, 3))", "return x.mean((2, 3)) if self.training else x.mean((2, 3)).flip(1)"),),
        True,
    ),
    Fault("one score of 12 wrong", "gem", _score(12), True),
    Fault("one score of 100 wrong", "gem", _score(100), None),
)


def _copy(folder: Path, edits: tuple[tuple[str, str, str], ...]) -> None:
    if folder.exists():
        return
    for name in ("harness", "plugins", "results", "dashboard"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.db*", "trials"))
    shutil.copy(ROOT / "registry.yaml", folder)
    for file, old, new in edits:
        text = (folder / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{file} has {old!r} {text.count(old)} times; the fault cannot be put in its place")
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")


def _harness(folder: Path, *args: str, sources: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A verb on the database of ``folder``; trials run with its sources, all else with those of this checkout."""
    environment = os.environ | {"PYTHONPATH": f"{sources}:{sources / 'plugins'}", "HARNESS_DB": f"sqlite:///{folder / 'gate.db'}"}
    return subprocess.run([sys.executable, "-m", "harness", *args], cwd=sources, env=environment, capture_output=True, text=True)


def _run(folder: Path, seeds: int, *methods: str) -> None:
    chosen = [word for method in methods for word in ("-m", method)]
    done = _harness(folder, "run", "-b", "digits", "--workers", "1", "--seeds", str(seeds), *chosen, sources=folder)
    if done.returncode:
        raise SystemExit(done.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10, help="of the baseline")
    parser.add_argument("--check-seeds", type=int, default=3)
    options = parser.parse_args()
    folder = options.folder.resolve()
    _copy(folder / "healthy", ())
    _run(folder / "healthy", options.seeds, *METHODS)
    baseline = str(folder / "baseline.json")
    saved = _harness(folder / "healthy", "baseline", "save", baseline, "--seeds", str(options.check_seeds))
    print(saved.stdout, saved.stderr, sep="")
    print(f"{'fault':26} {'method':8} {'baseline':>8} {'now':>6} {'change':>7} {'allowed':>8}  source    status")
    wrong = []
    for fault in FAULTS:
        there = folder / fault.name.replace(" ", "-").replace("/", "by")
        _copy(there, fault.edits)
        methods = METHODS if fault.method == "all" else (fault.method,)
        _run(there, options.check_seeds, *methods)
        checked = json.loads(_harness(there, "check", "--baseline", baseline, "--json").stdout)
        for entry in checked["entries"]:
            if entry["method"] in methods and entry["primary"]:
                numbers = [
                    f"{entry['baseline']:8.1f}",
                    f"{entry['current']:6.1f}",
                    f"{entry['difference']:+7.2f}",
                    f"{-entry['allowed']:+8.2f}",
                ]
                print(f"{fault.name:26} {entry['method']:8}", *numbers, f" {entry['source']:9} {entry['status']}", flush=True)
        if fault.caught is not None and any(entry["status"] == "worse" for entry in checked["entries"]) != fault.caught:
            wrong.append(fault.name)
    print(_harness(folder / "healthy", "check", "--baseline", baseline, "--calibrate", "200").stdout)
    if wrong:
        raise SystemExit(f"not as it should be: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
