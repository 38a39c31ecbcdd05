"""``harness evaluate``: kept weights, tested again."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.cli.output import print_json, print_rows


@click.command("evaluate")
@click.argument("weights", metavar="TRIAL|FILE")
@click.option("-b", "--benchmark", metavar="BENCHMARK", help="Another benchmark of the family.  [default: the trial's own]")
@click.option("--config", metavar="FILE", help="An OpenMMLab config file as that benchmark; it is Python, and runs.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write the predictions there.")
@click.option("--device", type=options.Device(), default="cpu", show_default=True, metavar="DEVICE", help="cpu, cuda or cuda:N.")
@options.data_root
@options.plugin_files
@options.as_json
@options.database
@options.artifacts
def command(
    weights: str,
    benchmark: str | None,
    config: str | None,
    out: Path | None,
    device: str,
    data_root: Path | None,
    plugins: tuple[Path, ...],
    as_json: bool,
    db: str,
) -> None:
    """Test kept weights again, also on other data.

    TRIAL is a trial that was run with --keep-weights, by its digest or the first digits; FILE is the file of weights that it left. On
    the trial's own benchmark the numbers are the trial's, digit by digit; on another one they say how far what was learned carries.

    \b
    harness evaluate 3fa2
    harness evaluate 3fa2 -b camvid --data-root ~/datasets
    """
    from harness import data
    from harness.analysis.numbers import number
    from harness.cli.kept import kept
    from harness.engine import isolate, prepare

    root = options.known_data_root(data_root)
    found = kept(weights, benchmark, config, root, plugins, db)
    folder = data.ensure(found.task, root)
    device = "cpu" if device == "cpu" else next(iter(prepare.devices("cuda" if device == "auto" else device)))

    def test() -> dict[str, float]:
        from harness.engine import trained
        from harness.engine.plugins import load_alone

        load_alone(found.trial.plugins, found.plugins)
        return trained.evaluate(found.trial, found.file, data=folder, device=device, out=out)

    prepare.end_thread_pools()
    metrics = isolate.quietly(test)
    if found.unlike:
        mend = "No weight tells that: write it alike in both entries, unless it is meant."
        click.echo(f"note: {'; '.join(found.unlike)}, where the weights were trained. {mend}", err=True)
    before = found.about["metrics"] if found.trial.benchmark == found.about["benchmark"] else {}
    if as_json:
        print_json({"weights": {**found.about, "file": str(found.file)}, "benchmark": found.trial.benchmark, "metrics": metrics})
        return
    units = {metric.name: metric.unit for metric in found.task.metrics}
    rows = []
    for name, value in metrics.items():
        unit = units.get(name.partition("/")[0], "")
        rows.append([name, unit, number(value, unit), *([number(before[name], unit)] if name in before else [])])
    heads = ["metric", "unit", found.trial.benchmark, *(["when it was trained"] if before else [])]
    print_rows(heads, rows, right=heads[2:])
    if before and not found.is_own:
        click.echo("note: code, data or options have changed since the weights were trained.", err=True)
    elif any(row[2] != row[3] for row in rows if len(row) > 3):
        said = "another device or version of torch rounds otherwise, or a plugin keeps something that is neither parameter nor buffer"
        click.echo(f"note: the numbers are not the trial's: {said}. `harness plugin check` finds the latter.", err=True)
