"""``harness data``: datasets of the benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import Group, options
from harness.cli.output import print_json, print_rows
from harness.texts import one_line

if TYPE_CHECKING:
    from harness.benchmarks import Task


@click.group("data", cls=Group)
def command() -> None:
    """Find, check and generate datasets."""


def _task(name: str) -> Task:
    """Of a benchmark, or of a config file that is one (``harness run --config``), which runs."""
    from harness import benchmarks
    from harness.benchmarks.openmmlab import code
    from harness.catalog import load_catalog
    from harness.errors import did_you_mean

    catalog = load_catalog()
    if name in catalog.benchmarks:
        catalog, _ = code.named(catalog, [name], [])
    elif name.endswith(".py"):
        catalog, (name,) = code.named(catalog, [], [name])
    else:
        raise did_you_mean(name, catalog.benchmarks, "benchmark", "harness list benchmarks")
    return benchmarks.task(catalog.benchmarks[name])


@command.command("list")
@options.family
@options.data_root
@options.as_json
def list_(family: str | None, data_root: Path | None, as_json: bool) -> None:
    """Where each benchmark's dataset lies, or why it cannot be found."""
    from harness import benchmarks, data
    from harness.catalog import load_catalog
    from harness.errors import HarnessError

    root = options.known_data_root(data_root)
    rows = []
    for bench in load_catalog().benchmarks.values():
        if family not in (None, bench.family):
            continue
        row = {
            "benchmark": bench.id,
            "family": bench.family,
            "format": bench.data.get("format"),
            "state": "malformed",
            "folder": None,
            "problem": None,
        }
        try:
            task = benchmarks.task(bench)
            row["state"] = "missing"
            folder = data.locate(task, root)
            row |= {"folder": str(folder), "state": "ready" if folder.is_dir() else "generated on first use"}
        except HarnessError as error:
            row["problem"] = str(error)
        rows.append(row)
    if as_json:
        print_json({"rows": rows})
        return
    cells = [[row["benchmark"], row["format"], row["state"], row["folder"] or row["problem"]] for row in rows]
    print_rows(["benchmark", "format", "state", "where"], cells)


@command.command("check")
@click.argument("benchmark")
@options.data_root
@options.as_json
@click.pass_context
def check(ctx: click.Context, benchmark: str, data_root: Path | None, as_json: bool) -> None:
    """Say what is missing or malformed in a dataset.

    Every file a trial would read is looked at, before any training. The exit code is 2 if a trial could not run. In the place of a
    benchmark's name a config file may stand, see `harness run --config`.

    \b
    harness data check camvid --data-root ~/datasets
    harness data check my_segmenter.py
    """
    from harness import data, fingerprints
    from harness.benchmarks.check_model import check_model
    from harness.benchmarks.report import describe, grouped

    task = _task(benchmark)
    folder = data.ensure(task, options.known_data_root(data_root))
    listing = fingerprints.listing(task, folder)
    problems = [*task.check_listing(folder, listing), *check_model(task, len(listing.train))]
    fatal = [problem for problem in problems if problem.fatal]
    if as_json:
        print_json({"benchmark": task.id, "folder": str(folder), "ok": not fatal, "rows": [vars(problem) for problem in problems]})
    else:
        for problem in grouped(problems):
            if problem.fatal:
                click.echo(one_line(f"error: {problem.sentences}"))
        for line in (*describe(task, listing, problems), *task.remarks(folder, listing)):
            click.echo(one_line(line))
        click.echo(
            f"{task.id}: {folder}: {len(fatal)} errors, {len(problems) - len(fatal)} warnings."
            if problems
            else f"{task.id}: {folder} is fine."
        )
    ctx.exit(2 if fatal else 0)


@command.command("prepare")
@click.argument("benchmark")
@options.data_root
def prepare(benchmark: str, data_root: Path | None) -> None:
    """Generate a synthetic dataset now.

    Of a real one it says where it is read from; `harness data check` reads it.
    """
    from harness import data

    task = _task(benchmark)
    click.echo(one_line(f"{task.id}: {data.ensure(task, options.known_data_root(data_root))}"))
