"""``harness config``: a trial as a config file of OpenMMLab."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.texts import one_line


@click.command("config")
@click.argument("method")
@click.argument("benchmark")
@click.option("--seed", type=click.IntRange(0, 999), default=0, show_default=True, metavar="N", help="The trial's seed.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to write it.  [default: the screen]")
@options.sets("overrides", help="As for `harness run`; may be repeated.")
@options.data_root
def command(method: str, benchmark: str, seed: int, out: Path | None, overrides: tuple[str, ...], data_root: Path | None) -> None:
    """Write a trial as a plain config file of OpenMMLab.

    BENCHMARK is one of the registry, or an OpenMMLab config file. Any toolbox's tools/train.py runs what is written; on a CPU its
    numbers are those of the trial, bit for bit. It names what is the harness's by `custom_imports`, and the dataset by its place on
    this machine (docs/openmmlab.md).

    \b
    harness config gc-block scenes-segmentation --out gc.py
    python tools/train.py gc.py
    """
    from harness import __version__, data, fingerprints
    from harness.benchmarks.fetching import fetch
    from harness.benchmarks.openmmlab import code
    from harness.catalog import load_catalog
    from harness.catalog.adopt import adopt
    from harness.catalog.plugins import discover
    from harness.compose import Selection, bare, plan
    from harness.errors import writing
    from harness.files import write_whole

    root = options.known_data_root(data_root)
    files = discover()
    catalog = adopt(load_catalog(), files)
    is_file = benchmark.endswith(".py")
    catalog, (benchmark,) = code.named(catalog, () if is_file else (benchmark,), (benchmark,) if is_file else ())
    planned = plan(
        Selection(methods=(method,), benchmarks=(benchmark,), seeds=seed + 1, overrides=overrides, data_root=root), catalog, files
    )
    trial, task = planned.trials[-1], planned.tasks[benchmark]
    folder = data.ensure(task, root)
    fetch(task.model.weights)
    listing = fingerprints.listing(task, folder)
    if trial.before:  # its weights are those that a trial has kept
        from harness import paths
        from harness.engine.begun import begun
        from harness.store.url import results_folder

        trial = begun(trial, results_folder(paths.default_database()).absolute() / "trials")
    work_dir = Path("work_dirs") / f"{benchmark}-{method}-{seed}"
    config = bare.alone(trial, folder.absolute(), work_dir, validates=task.family.name == "openmmlab" or bool(listing.of("val")))
    about = f"{method} on {benchmark}, seed {seed}: trial {trial.digest} of attention-harness {__version__}"
    trained = "train_cfg" in config
    how = (
        "python tools/train.py FILE, of any OpenMMLab toolbox" if trained else "nothing is trained: mmengine's Runner.from_cfg(FILE).test()"
    )
    text = bare.text(config, f"{about}\n{how}; docs/openmmlab.md says more")
    if out is None:
        click.echo(text, nl=False)
        return
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, text)
    click.echo(one_line(f"{out}: {about}"), err=True)
