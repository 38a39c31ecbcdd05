"""``harness status``: how far the trials are, and why some failed."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from harness.cli.output import failure, print_json, print_rows, table_width, terminal_width
from harness.texts import one_line

if TYPE_CHECKING:
    from harness.analysis.views.runs import Batch
    from harness.outcome import Confusion
    from harness.store import TrialRow


@click.command("status")
@click.argument("trial", required=False)
@click.option("--layers", is_flag=True, help="With TRIAL: its diagnostics for each layer and head.")
@options.as_json
@options.database
@options.artifacts
def command(trial: str | None, layers: bool, as_json: bool, db: str) -> None:
    """Show progress, and why trials failed.

    TRIAL is a trial's digest or its first digits: everything about it, its log path included.

    \b
    harness status
    harness status 3fa2 --layers
    """
    from harness.analysis import artifacts, source
    from harness.analysis.views import runs

    if trial is None:
        told = options.absent(db)
        if as_json:
            rows = artifacts.placed(db, source.trials(db))
            print_json({"counts": _counts(rows), "rows": [_plain(row) for row in rows]})
        elif told:
            click.echo(told, err=True)
        else:
            counted, shown = source.counts(db), source.counts(db, purposes=[""])
            helpers = sum(sum(some.values()) for some in counted.values()) - sum(sum(some.values()) for some in shown.values())
            rows = artifacts.placed(db, source.trials(db, states=["running", "failed"]))
            _overview(counted, rows, helpers)
            _batches(runs.batches(source.lots(db), [row for row in rows if row.state == "running"], time.time()))
            _unfinished(rows)
        return
    found, result = source.trial(db, trial)
    (row,) = artifacts.placed(db, [found])
    confused = source.confusion(db, [row]) if result else None
    learnt, primary = source.curves(db, row)
    view = source.trial_view(db, row.digest)
    details = _plain(row) | {
        "metrics": dict(result.metrics) if result else None,
        "diagnostics": dict(result.diagnostics) if result else None,
        "durations": dict(result.durations) if result else None,
        "cost": vars(result.cost) if result else None,
        "curves": {name: points.tolist() for name, points in learnt.items()} if result else None,
        "confusion": _plain_confusion(confused),
        "config": result.config_digest if result else None,
        "tuning": source.tuning(db, row),
        "command": list(view.command),
    }
    if as_json:
        print_json({"trial": details})
    else:
        from harness.analysis import confusion, curves

        del details["confusion"], details["curves"], details["command"]
        _one(details | {"mistakes": confusion.mistakes(confused, most=5) if confused else None}, layers)
        heads, squares = confusion.table(confused, table_width()) if confused else ([], [])
        if confused and squares:
            click.echo(f"\n{confusion.heading(confused)}")
            print_rows(heads, squares, right=["", *heads[2:]])
        epochs, lines = curves.table(learnt, primary)
        if lines:
            click.echo("\nlearning curve")
            print_rows(epochs, lines, right=epochs[1:])
        if view.command:
            click.echo("\nto run it again")
            for line in view.command:
                click.echo(f"  {one_line(line)}")


def _plain_confusion(found: Confusion | None) -> dict[str, Any] | None:
    return None if found is None else {"classes": found.classes, "counts": found.counts.tolist(), "unit": found.unit}


def _counts(rows: list[TrialRow]) -> dict[str, int]:
    from harness.analysis.views.runs import STATES, standing

    counts = Counter(standing(row) for row in rows)
    return {state: counts.get(state, 0) for state in STATES}


def _plain(row: TrialRow) -> dict[str, Any]:
    from harness.analysis.views.runs import standing

    names = [
        "digest",
        "benchmark",
        "version",
        "family",
        "tier",
        "method",
        "slot",
        "config_file",
        "seed",
        "dataset",
        "task",
        "setting",
        "purpose",
        "kind",
        "reason",
        "attempts",
        "host",
        "pid",
        "created",
        "started",
        "finished",
        "seconds",
        "log",
        "work_dir",
    ]
    return {name: getattr(row, name) for name in names} | {
        "state": standing(row),
        "notes": list(row.notes),
        "labels": row.labels,
        "overrides": list(row.overrides),
    }


def _overview(counted: dict[str, dict[str, int]], rows: list[TrialRow], helpers: int) -> None:
    """Numbers of trials by benchmark and state, and how many only help to choose options.

    Args:
        rows: those that run or failed.
    """
    from harness.analysis.views.runs import STATES, standing

    if not counted:
        click.echo("no trials yet. `harness run -s quick` plans and runs some.")
        return
    dead = Counter(row.benchmark for row in rows if standing(row) == "interrupted")
    told = {
        name: {**counts, "running": counts.get("running", 0) - dead[name], "interrupted": dead[name]} for name, counts in counted.items()
    }
    total = {state: sum(counts.get(state, 0) for counts in told.values()) for state in STATES}
    states = [state for state in STATES if total[state]]
    cells = [[name, *(counts.get(state) or "" for state in states)] for name, counts in told.items()]
    print_rows(["benchmark", *states], [*cells, ["total", *(total[state] for state in states)]], right=states)
    if helpers:
        click.echo(f"{helpers} of them only help to choose options (--tune); no table of results shows these.")


def _batches(found: list[Batch]) -> None:
    """How far the runs are that are going on."""
    from harness.analysis.numbers import duration, moment

    for batch in found:
        if batch.running:
            left = "" if batch.seconds_left is None else f", about {duration(batch.seconds_left)} left"
            click.echo(f"planned {moment(batch.created)}: {batch.ended} of {batch.total} trials, {len(batch.running)} running{left}")


def _unfinished(rows: list[TrialRow]) -> None:
    for row in rows:
        if row.state == "running":
            since = f"since {time.time() - row.started:.0f} s" if row.started else ""
            what = (
                f"runs {since} in process {row.pid} on {row.host}"
                if row.alive
                else "was interrupted; the same `harness run` goes on with it"
            )
            click.echo(f"{row.digest}  {row.method} on {row.benchmark}, seed {row.seed}: {what}")
    for row in rows:
        if row.state == "failed":
            click.echo(f"{row.digest}  {failure(row, terminal=terminal_width() is not None)}")


def _one(details: dict[str, Any], layers: bool) -> None:
    from harness.analysis import diagnostic_tables
    from harness.analysis.numbers import exact, moment

    diagnostics, tuning = details.pop("diagnostics") or {}, details.pop("tuning")
    for name, value in details.items():
        if value in (None, "", [], {}):
            continue
        if name in ("created", "started", "finished"):
            value = moment(value)
        if isinstance(value, dict):
            texts = {key: exact(item) if isinstance(item, float) else item for key, item in value.items()}
            value = ", ".join(f"{key} {text}" for key, text in texts.items() if text is not None)
        elif isinstance(value, list):
            value = "; ".join(map(str, value))
        click.echo(one_line(f"{name:>12}  {value}"))
    if tuning:
        _tried(tuning)
    if diagnostics:
        shown = diagnostics if layers else {name: value for name, value in diagnostics.items() if "/" not in name}
        click.echo(f"\ndiagnostics of the attention{'' if layers else ' (--layers: of each layer and head)'}")
        click.echo(diagnostic_tables.of_one_trial(shown, table_width()))


def _tried(tuning: dict[str, Any]) -> None:
    """The points of a search, the chosen one marked."""
    from statistics import fmean

    from harness.analysis.numbers import number

    metric, keys = tuning["metric"], [*tuning["space"]]
    better = "higher" if tuning["higher_is_better"] else "lower"
    seeds = f"seed{'s' * (len(tuning['seeds']) > 1)} {', '.join(map(str, tuning['seeds']))}"
    click.echo(f"\ntuned with {tuning['trials']} trials on the validation split ({seeds}; {better} is better)")
    cells = []
    for index, point in enumerate(tuning["points"]):
        values = point["validation"]
        chosen = "chosen" if index == tuning["winner"] else ""
        options = [json.dumps(point["values"][key]) if key in point["values"] else "registered" for key in keys]
        cells.append([number(fmean(values)) if None not in values else "no value", *options, ", ".join(point["trials"]), chosen])
    print_rows([metric, *keys, "trials", ""], cells, right=[metric, *keys], fold=["trials"])
