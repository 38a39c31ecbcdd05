"""What a GPU is worth here: one command that measures, and writes its figures as it goes.

    python perf/gpu.py --out results/gpu                         on a machine with a GPU
    python perf/gpu.py --out results/gpu --budget 280            in less than five minutes
    python perf/gpu.py --out results/gpu --write docs/performance.md
    python perf/gpu.py --out /tmp/look --device cpu --budget 120 the same code, small, where there is none

Parts, each in a process of its own so that none spoils another (perf/gpu_parts.py): the device's own limits, trials alone and
shared with the share of their time that they wait for batches, training steps by precision, methods against OpenMMLab's classes and the
device's limits, loader workers, what determinism costs, a compiled step, and with the time that is left the whole quick suite and,
where HARNESS_DATA or --data-root says where they lie, the small real datasets.
Neither network nor git is needed. After each part, gpu.json and gpu.md in the folder hold what is known.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SHARES = {"limits": 0.05, "suites": 0.3, "steps": 0.12, "methods": 0.17, "loaders": 0.1, "determinism": 0.06, "compiled": 0.2}
"""Part -> share of the budget that it may take; what one leaves goes to the next, and the rest to the last."""

LAST = ("quick", "small")


def run_part(name: str, out: Path, seconds: float, device: str) -> dict[str, Any]:
    """Measure a part in a process of its own; what it wrote before it was stopped counts."""
    file = out / f"{name}.json"
    file.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).with_name("gpu_parts.py")), name, str(file), str(seconds), device]
    began = time.monotonic()
    with (out / f"{name}.log").open("w") as log:
        try:
            code: int | str = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=seconds + 45).returncode
        except subprocess.TimeoutExpired:
            code = "stopped"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    if code:
        tail = (out / f"{name}.log").read_text(errors="replace").strip().splitlines()[-1:]
        found["trouble"] = f"ended with {code}: {' '.join(tail)[:300]}"
    return found | {"seconds": round(time.monotonic() - began, 1)}


def markdown(found: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    lines: list[str] = []
    limits = found.get("limits", {})
    if limits.get("device"):
        fast = ", ".join(f"{name} {value:.4g}" for name, value in limits.get("tflops", {}).items())
        lines += [
            f"Measured on {limits['device']}, {limits['cores']} cores, torch {limits['torch']}. Large products reach {fast} TFLOP/s, "
            f"copies {limits['gb_per_s']:.4g} GB/s.",
            "",
        ]
    suites = found.get("suites", {})
    if suites.get("trials"):
        lines += [
            "| benchmark | alone (s a trial) | of its training, waiting for batches |",
            "|---|---|---|",
            *(f"| {name} | {row['alone_s']:.1f} | {row['waiting']:.0%} |" for name, row in suites["trials"].items()),
            "",
        ]
        if "shared" in suites:
            both = suites["shared"]
            lines += [
                f"Trials an hour: {suites['alone_per_hour']:.0f} alone, {both['per_hour']:.0f} with {both['at_once']} at once: "
                f"{both['gain']:.1f} × as much work (goal 4 ×; `--trials-per-gpu auto`, {both['done']} trials).",
                "",
            ]
    steps = [*found.get("steps", {}).get("rows", []), *found.get("compiled", {}).get("rows", [])]
    if steps:
        lines += ["| training step | ms | images/s | peak MB |", "|---|---|---|---|"]
        lines += [f"| {row['what']} | {row['ms']:.1f} | {row['images_per_s']:.0f} | {row['peak_mb']:.0f} |" for row in steps]
        lines += [""]
    if found.get("methods", {}).get("markdown"):
        lines += [found["methods"]["markdown"], ""]
    roof = found.get("methods", {}).get("roofline", [])
    if roof:
        lines += [
            "Share of what the device could do at most (forward and backward; the longer of operations at the rate of large products and",
            "reading the input and writing the output once):",
            "",
            "| method | size | TFLOP/s | of the roofline |",
            "|---|---|---|---|",
            *(f"| {row['method']} | {row['place']} | {row['tflops']:.2f} | {row['share']:.0%} |" for row in roof),
            "",
        ]
    loaders = found.get("loaders", {}).get("rows", [])
    if loaders:
        lines += ["| loader workers | iterations/s | waiting for batches |", "|---|---|---|"]
        lines += [f"| {row['workers']} | {row['per_s']:.2f} | {row['waiting']:.0%} |" for row in loaders]
        lines += [""]
    sure = found.get("determinism", {})
    if "ratio" in sure:
        lines += [
            f"`--deterministic`: training takes {sure['ratio']:.2f} × as long ({sure['what']}); two such runs are "
            f"{'equal' if sure['equal'] else 'not equal'}; without a deterministic form: {', '.join(sure['without']) or 'nothing'}.",
            "",
        ]
    for name, suite in zip(LAST, ("quick", "real"), strict=True):
        part = found.get(name, {})
        if part.get("done"):
            whole = (
                f"the whole {suite} suite"
                if part["done"] == part["total"]
                else f"{part['done']} of {part['total']} trials of the {suite} suite"
            )
            lines += [f"With `--trials-per-gpu auto` {whole} took {part['wall_s']:.0f} s; {part['failed']} failed.", ""]
    lines += [f"{name}: {part['trouble']}" for name, part in found.items() if part.get("trouble")]
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Replace what stands between the markers.

    Raises:
        SystemExit: the page has no such markers.
    """
    first, last = "<!-- gpu: begin -->", "<!-- gpu: end -->"
    before = page.read_text(encoding="utf-8")
    after, count = re.subn(f"{first}.*?{last}", lambda _: f"{first}\n{text}\n{last}", before, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{page} has no '{first}' ... '{last}'")
    page.write_text(after, encoding="utf-8")


def main() -> None:
    """Measure part by part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the figures, logs and results")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu (default cuda)")
    parser.add_argument("--budget", type=float, default=900.0, metavar="SECONDS", help="for everything (default 900)")
    parser.add_argument("--only", action="append", choices=[*SHARES, *LAST], metavar="PART", help=f"of {', '.join([*SHARES, *LAST])}")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where the small real datasets lie (default HARNESS_DATA)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the section between the markers of this page")
    options = parser.parse_args()
    if options.data_root:
        os.environ["HARNESS_DATA"] = str(options.data_root.absolute())
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    began, found = time.monotonic(), {}
    for name in options.only or [*SHARES, *LAST]:
        left = options.budget - (time.monotonic() - began)
        after = sum(share for part, share in SHARES.items() if part not in found and part != name and part in (options.only or SHARES))
        seconds = left - after * options.budget * 0.9 if name in SHARES else left
        if name in SHARES and not options.only:
            seconds = min(seconds, 1.5 * SHARES[name] * options.budget)
        if seconds < 10:
            found[name] = {"trouble": "no time was left"}
            continue
        found[name] = run_part(name, out, seconds - 3, options.device)
        (out / "gpu.json").write_text(json.dumps(found, indent=1))
        (out / "gpu.md").write_text(markdown(found))
        print(f"{name}: {found[name]['seconds']} s {found[name].get('trouble', '')}", flush=True)
    text = markdown(found)
    print(text)
    if options.write:
        write(options.write, text)


if __name__ == "__main__":
    main()
