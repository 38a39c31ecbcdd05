"""Each method of this project against a plain implementation of its authors' equations, and against OpenMMLab's module.

    python perf/methods.py                                  the complete table, in about half an hour
    python perf/methods.py --quick                          two small maps only
    python perf/methods.py --only simpool --size 56 --width 256
    python perf/methods.py --write docs/performance.md      the complete table, into the page

Forward and backward in float32 on maps of 14, 56 and 128 positions a side and widths d of 64, 256 and 1024; an encoder
layer sees the map as tokens, a masking strategy sees attention alone. The plain side projects every position, makes every
N x N matrix and uses the same parameters (perf/peers). All sides run in turns in one process. A speed of 2 means twice as
fast as the peer, a memory of 0.5 half its peak.
"""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

import torch
from method_table import Row, markdown, summary, terminal, write
from paired import compare
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harness.catalog import Method, load_catalog
from harness.catalog.plugins import discover, load_plugins

SIZES, WIDTHS = (14, 56, 128), (64, 256, 1024)
IMAGES = 64
"""Rows of attention that a masking strategy gets at a time."""
ELEMENTS = {"cpu": 2**19, "cuda": 2**24}
"""A batch is as large as fits this many values, at most 16 images on a CPU and 64 on a GPU, and at least one."""
RATE = {"cpu": 5e10, "cuda": 1e13}
"""Operations a second and core (or GPU) at which the time of a plain pass is guessed, to leave out the longest."""


def rows_of(methods: dict[str, Method], only: list[str], sizes: list[int], widths: list[int]) -> list[tuple[str, int, int]]:
    """Row, side and width of everything to measure.

    Raises:
        SystemExit: a working method without a peer, or an unknown name.
    """
    from peers import PEERS, WITHOUT_PEER
    from peers.case import missing

    if without := missing(methods):
        raise SystemExit(f"no peer for {', '.join(without)}: add a plain form of the authors' equations to PEERS in perf/peers")
    for name in only:
        if name in WITHOUT_PEER:
            raise SystemExit(f"'{name}' is not measured: it {WITHOUT_PEER[name]}")
        if not any(name in (row, peer.method) for row, peer in PEERS.items()):
            raise SystemExit(f"unknown method '{name}'; known: {', '.join(PEERS)}")
    chosen = [row for row, peer in PEERS.items() if not only or row in only or peer.method in only]
    slot = {row: methods[PEERS[row].method or row].slot for row in chosen}
    return [(row, size, d) for row in chosen for size in sizes for d in (widths if slot[row] != "masking" else [0])]


def batch_of(row: str, slot: str, size: int, d: int, device: str, options: argparse.Namespace) -> tuple[int, str]:
    """Images in a batch, and why the row is left out, if it is."""
    from peers import PEERS
    from peers.case import HEAD

    if slot == "masking":
        return IMAGES, ""
    peer, positions = PEERS[row], size**2
    heads = max(d // HEAD, 1) if slot in ("encoder_attention", "position_encoding") else 1
    needed = 4 * (peer.matrices * heads * positions**2 + peer.window * d * positions)
    if needed > options.memory * 2**30:
        return 0, f"the plain form would need {needed / 2**30:.0f} GB"
    kind = torch.device(device).type
    batch = max(1, min(16 if kind == "cpu" else 64, ELEMENTS[kind] // (d * positions), int(options.memory * 2**30 // max(needed, 1))))
    # a backward pass is two forward ones; queries and keys are half as wide in most blocks, as wide in the encoder
    operations = 3 * batch * positions * d * (d * peer.dense + (4 * positions if peer.matrices else 0))
    seconds = operations / RATE[kind] / (options.threads if kind == "cpu" else 1)
    if seconds > options.longest:
        return 0, f"one plain pass would take about {seconds:.0f} s"
    return batch, ""


def measure(methods: dict[str, Method], device: str, options: argparse.Namespace, console: Console) -> list[Row]:
    """All rows on one device.

    Raises:
        SystemExit: two sides of a row do not compute the same.
    """
    from peers import PEERS
    from peers.case import build, differences

    planned = rows_of(methods, options.only, options.size, options.width)
    checked: set[str] = set()
    found: list[Row] = []
    columns = (TextColumn("{task.description:50}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(planned))
        for row, size, d in planned:
            progress.update(task, description=f"{device}: {row}, {size}²" + (f", d = {d}" if d else ""))
            if not console.is_terminal and row not in checked:
                console.print(f"{device}: {row}")
            peer = PEERS[row]
            method = methods[peer.method or row]
            if row not in checked:
                small = build(row, method, d=64, edge=8, batch=2, device=device, dtype=torch.float64)
                if (apart := max(differences(small, row).values())) > 1e-5:
                    raise SystemExit(f"{row}: the sides differ by {apart:.1e}; correct its plain form in perf/peers")
                checked.add(row)
            batch, reason = batch_of(row, method.slot, size, d, device, options)
            if reason:
                found.append(Row(row, size, d, "plain", skipped=reason))
            else:
                case = build(row, method, d=d, edge=size, batch=batch, device=device)
                ratios = compare([case.step(side) for side in case.sides], cuda=device != "cpu", budget=options.seconds)
                for side, ratio in zip(list(case.sides)[1:], ratios, strict=True):
                    found.append(Row(row, size, d, side, ratio, pairs=peer.matrices > 0, same=peer.same))
                del case
                gc.collect()
            progress.advance(task)
    return found


def arguments() -> argparse.Namespace:
    """The command line.

    Raises:
        SystemExit: a part of the table is to be written into the page.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="METHOD", help="this method; may be repeated")
    parser.add_argument("--size", action="append", type=int, metavar="SIDE", help="side of the map; may be repeated")
    parser.add_argument("--width", action="append", type=int, metavar="D", help="channels; may be repeated")
    parser.add_argument("--quick", action="store_true", help="14² and 56² at d = 64, 0.2 s a row: a look, not a measurement")
    parser.add_argument("--device", action="append", metavar="NAME", help="cpu or cuda; both where there is a GPU")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU; at 1 the processor's own time counts (default 1)")
    parser.add_argument("--seconds", type=float, default=1.5, help="for the repeats of a row, all sides together (default 1.5)")
    parser.add_argument("--memory", type=float, default=8.0, metavar="GB", help="leave out rows whose plain form needs more (default 8)")
    parser.add_argument("--longest", type=float, default=6.0, metavar="S", help="leave out rows with longer plain passes (default 6)")
    parser.add_argument("--markdown", action="store_true", help="print the table as in docs/performance.md")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the table between the markers of this page")
    options = parser.parse_args()
    if options.write and (options.only or options.size or options.width or options.quick):
        parser.error("--write is for the complete table; leave --only, --size, --width and --quick out")
    if options.quick:
        options.seconds = min(options.seconds, 0.2)
    options.size = options.size or ([14, 56] if options.quick else list(SIZES))
    options.width = options.width or ([64] if options.quick else list(WIDTHS))
    options.device = options.device or ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return options


def main() -> None:
    """Measure, print, and write if asked to."""
    options = arguments()
    from harness.openmmlab import setup

    setup()
    torch.set_num_threads(options.threads)
    methods = load_catalog().methods
    load_plugins({f.plugin for m in methods.values() if m.state != "planned" for f in m.slots.values()}, discover())
    console = Console(stderr=True)
    for device in options.device:
        rows = measure(methods, device, options, console)
        if options.markdown:
            sys.stdout.write(markdown(rows, device, options.threads))
        else:
            terminal(rows)
            print("\n".join(summary(rows)))
        if options.write:
            write(options.write, rows, device, options.threads)


if __name__ == "__main__":
    main()
