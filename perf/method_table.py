"""The table of ``perf/methods.py``: for the terminal, and for docs/performance.md."""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from paired import Ratio
from rich.console import Console
from rich.table import Table

EQUAL = 0.97
"""Speeds from here on count as equal: two runs of the same code differ by as much."""
NAMES = {"plain": "plain", "openmmlab": "OpenMMLab"}


@dataclass(frozen=True)
class Row:
    """One method at one size against one peer."""

    method: str
    size: int
    d: int
    peer: str
    ratio: Ratio | None = None
    pairs: bool = False
    """The plain form has an N x N matrix."""
    same: bool = False
    """Both sides are the same operations."""
    skipped: str = ""
    """Why it was not measured."""

    @property
    def place(self) -> str:
        """Size and width in words."""
        return f"{self.size}²" + (f", d = {self.d}" if self.d else "")


def _geometric(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def summary(rows: list[Row]) -> list[str]:
    """What the goals are about, one sentence each."""
    measured = [r for r in rows if r.ratio]
    lines = []
    for peer, name in NAMES.items():
        of_peer = [r for r in measured if r.peer == peer]
        pairs = [r for r in of_peer if r.pairs]
        if pairs:
            speed, memory = _geometric(r.ratio.speed for r in pairs), _geometric(r.ratio.memory for r in pairs)
            above = sum(r.ratio.memory > 0.6 for r in pairs)
            lines.append(
                f"Methods with an N×N matrix against {name}: {speed:.2f} × as fast in the geometric mean of {len(pairs)} rows "
                f"(goal 1.5), peak memory {memory:.2f} × (goal 0.6; {above} rows above it)."
            )
        if of_peer:
            least = min(of_peer, key=lambda r: r.ratio.speed)
            slower = [r for r in of_peer if r.ratio.speed < EQUAL]
            lines.append(
                f"All methods against {name}: {_geometric(r.ratio.speed for r in of_peer):.2f} × as fast, at least "
                f"{least.ratio.speed:.2f} × ({least.method}, {least.place}); {len(slower)} of {len(of_peer)} rows below {EQUAL}"
                + (": " + "; ".join(f"{r.method} at {r.place} {r.ratio.speed:.2f}" for r in slower) if slower else "")
                + "."
            )
    return lines


def terminal(rows: list[Row]) -> None:
    """One line per method, size and peer."""
    table = Table("method", "size", "d", "peer", "speed", "memory", "ours ms", "ours MB")
    for r in rows:
        place = (r.method, f"{r.size}²", str(r.d or "-"), NAMES[r.peer])
        if r.ratio is None:
            table.add_row(*place, f"left out: {r.skipped}")
        else:
            q = r.ratio
            # numpy's memory, in which plain masks are made, is not torch's to count
            memory = (f"{q.memory:.2f}", f"{q.ours_mb:.1f}") if r.d else ("-", "-")
            table.add_row(*place, f"{q.speed:.2f}", memory[0], f"{q.ours_ms:.2f}", memory[1])
    Console().print(table)


def machine(device: str, threads: int) -> str:
    """What it ran on, without naming the host."""
    if device != "cpu":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    name = found.group(1) if found else platform.processor()
    return f"{name}, {os.cpu_count()} cores, {threads} thread{'s' if threads > 1 else ''}, torch {torch.__version__}"


def markdown(rows: list[Row], device: str, threads: int) -> str:
    """One line per method and peer, a column per size: speed, then memory."""
    places = sorted({(r.size, r.d) for r in rows if r.d})
    lines = [
        f"Measured on {machine(device, threads)}. Each cell: speed, memory. – was not measured (below).",
        "",
        "| method | peer | " + " | ".join(f"{size}², {d}" for size, d in places) + " |",
        "|" + "---|" * (len(places) + 2),
    ]
    masking = []
    kinds = dict.fromkeys((r.method, r.peer) for r in rows if r.d)
    cells = {(r.method, r.peer, r.size, r.d): r.ratio for r in rows if r.ratio}
    equal = {r.method for r in rows if r.same}
    for method, peer in kinds:
        ratios = [cells.get((method, peer, *place)) for place in places]
        texts = [f"{q.speed:.2f}, {q.memory:.2f}" if q else "–" for q in ratios]
        if any(ratios):
            lines.append(f"| {method}{' ¹' if method in equal and peer == 'plain' else ''} | {NAMES[peer]} | {' | '.join(texts)} |")
    for r in rows:
        if r.ratio and not r.d:
            masking.append(f"{r.method}{' ¹' if r.same else ''} at {r.size}² {r.ratio.speed:.2f}")
    notes = ["¹ The plain form is the same operations, so that about 1 is all there is to expect."]
    if masking:
        notes.append(f"Masking strategies, speed (64 images, forward only): {'; '.join(masking)}.")
    left_out: dict[str, list[str]] = {}
    for r in rows:
        if r.skipped:
            left_out.setdefault(f"{r.skipped} ({r.place})", []).append(r.method)
    if left_out:
        notes.append("Not measured: " + "; ".join(f"{', '.join(names)}: {reason}" for reason, names in left_out.items()) + ".")
    bullets = [f"- {line}" for line in summary(rows)]
    return "\n".join([*lines, "", *bullets, "", *"\n\n".join(notes).splitlines(), ""])


def write(page: Path, rows: list[Row], device: str, threads: int) -> None:
    """Replace what stands between the markers of this device.

    Raises:
        SystemExit: the page has no such markers.
    """
    kind = torch.device(device).type
    first, last = f"<!-- methods on {kind}: begin -->", f"<!-- methods on {kind}: end -->"
    text = page.read_text()
    if first not in text or last not in text:
        raise SystemExit(f"{page} has no place for the table: put '{first}' and '{last}' on lines of their own where it belongs")
    before, rest = text.split(first, 1)
    after = rest.split(last, 1)[1]
    page.write_text(f"{before}{first}\n{markdown(rows, device, threads)}{last}{after}")
