"""``harness features``: what frozen backbones made of datasets, kept on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import Group, options
from harness.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from harness.engine.lookup import Told


@click.group("features", cls=Group)
def command() -> None:
    """Features of frozen backbones: computed once, kept on disk, found by all trials.

    A benchmark with `model.frozen: true` trains what stands behind a backbone, and what the backbone makes of an image never changes.
    It is computed once, each image alone, by the first trial that needs it or by `harness features build`, and kept by the content of
    weights, preprocessing and image: other weights, another size or an image that was exchanged are other features, and nobody has to
    say so. Trials find the features of their samples by number and decode no image; what was damaged on the disk is computed again.

    Features lie in the cache folder that `harness doctor` shows and take 20 GB at most, or HARNESS_FEATURES gigabytes; what was used
    longest ago goes first, and the last 2 GB of a disk stay free.

    \b
    harness features build cifar10 --data-root ~/datasets
    harness features list
    harness features evict --to 5
    """


def _tables() -> Iterator[dict[str, Any]]:
    """One row for each backbone and split of which there are features, then one for images of no remembered split."""
    import json
    from contextlib import suppress

    from harness.features import Store, room, samples
    from harness.features.store import ABOUT

    splits = samples.remembered()
    for folder in sorted(path.parent for path in room.root().glob(f"*/{ABOUT}")):
        store, about, named = Store(folder), {}, set()
        with suppress(OSError, ValueError):
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        common = {"id": folder.name[:8], "backbone": _short(about.get("backbone", "?")), "device": about.get("device", "?")}
        for split in splits:
            found, size = store.size_of(split.images)
            if found:
                named.update(split.images)
                where = {"benchmark": split.benchmark, "split": split.split, "samples": len(split.images)}
                yield common | where | {"kept": sum(name in store for name in split.images), "bytes": size}
        others = [name for name in store.names() if name not in named]
        if others:
            found, size = store.size_of(others)
            yield common | {"benchmark": None, "split": None, "samples": None, "kept": found, "bytes": size}


def _short(config: str) -> str:
    """A backbone's config as few words: its class, and what tells it from others of the class."""
    import json

    try:
        given = dict(json.loads(config))
    except ValueError:
        return config
    kind = str(given.pop("type", "?")).rpartition(".")[2]
    return " ".join([kind, *(f"{name}={value}" for name, value in given.items() if name in ("depth", "arch", "out_indices"))])


@command.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """Which features are there: of which backbone, for which samples, and how large they are."""
    from harness.features import room

    rows = [*_tables()]
    if as_json:
        print_json({"rows": rows, "bytes": room.used(), "limit": room.limit()})
        return
    heads = ["id", "backbone", "device", "benchmark", "split", "samples", "kept", "MB"]
    cells = [
        [*(str(row[name]) if row[name] is not None else "" for name in heads[:6]), str(row["kept"]), f"{row['bytes'] / 1e6:.1f}"]
        for row in rows
    ]
    print_rows(heads, cells, right=heads[5:])
    click.echo(f"{room.used() / 1e9:.2f} of {room.limit() / 1e9:g} GB in {room.root()}.")


@command.command("build")
@click.argument("benchmarks", nargs=-1, required=True, metavar="BENCHMARK...")
@options.sets("sets", help="Change an option, as in `harness run`.")
@click.option("--device", type=options.Device(), default="cpu", show_default=True, metavar="DEVICE", help="cpu, cuda or cuda:N.")
@options.data_root
@options.database
def build(benchmarks: tuple[str, ...], sets: tuple[str, ...], device: str, data_root: Path | None, db: str) -> None:
    """Compute the features of whole datasets now, with a bar that shows how far it is.

    Trials on a GPU look for features that a GPU computed, so name the device that they will have. Weights that a trial kept
    (`model.weights: {trial: DIGEST}`) are found beside the database.
    """
    from harness import data
    from harness.benchmarks import task
    from harness.benchmarks.stages import slots
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover
    from harness.compose import Selection, plan
    from harness.compose.overrides import Overrides
    from harness.errors import UsageError, did_you_mean

    root = options.known_data_root(data_root)
    catalog, files = load_catalog(), discover()
    trials = []
    for name in benchmarks:
        if name not in catalog.benchmarks:
            raise did_you_mean(name, catalog.benchmarks, "benchmark", "harness list benchmarks")
        offered = slots(task(Overrides.parse(sets).of_benchmark(catalog.benchmarks[name])), catalog.benchmarks)
        fitting = [some for some in catalog.methods.values() if some.state != "planned" and some.fill(offered) is not None]
        method = min(fitting, key=lambda some: "pooling" not in some.slots).id  # whose model tries no image of zeros
        planned = plan(Selection(methods=(method,), benchmarks=(name,), overrides=sets, data_root=root), catalog, files)
        trial = planned.trials[0]
        if trial.benchmark != name:
            raise UsageError(f"each trial of '{name}' begins with what another one learns, so its features are kept when it is run.")
        trials.append((trial, data.ready(planned.tasks[name], root).folder))
    from harness.benchmarks import register

    click.echo("importing OpenMMLab and the plugins", err=True)
    register.setup()
    from harness.engine import prepare
    from harness.engine.begun import begun
    from harness.engine.features import build as compute
    from harness.engine.plugins import load_alone
    from harness.store.url import results_folder

    device = "cpu" if device == "cpu" else next(iter(prepare.devices("cuda" if device == "auto" else device)))
    kept = results_folder(db).absolute() / "trials"
    for trial, folder in trials:
        load_alone(trial.plugins, files)
        with _bar(trial.benchmark) as told:
            count = compute(begun(trial, kept), data=folder, device=device, told=told)
        click.echo(f"{trial.benchmark}: the features of {count} samples are kept.")


@contextmanager
def _bar(name: str) -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, markup=False, highlight=False, emoji=False), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def told(split: str, done: int, count: int) -> None:
            if split not in tasks:
                tasks[split] = bar.add_task(f"{name} {split}", total=count)
            bar.update(tasks[split], completed=done)

        yield told


@command.command("evict")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--to", "size", type=click.FloatRange(min=0), metavar="GB", help="Keep this much, what was used last.")
def evict(ids: tuple[str, ...], size: float | None) -> None:
    """Delete features: those of backbones by their ID in `harness features list`, or what was used longest ago.

    Nothing is lost but the time to compute them again.
    """
    import shutil

    from harness.errors import UsageError
    from harness.features import room

    if bool(ids) == (size is not None):
        raise UsageError("say what to delete: the ID of a backbone, as `harness features list` shows it, or --to GB.")
    before = room.used()
    folders = [path for path in room.root().glob("*") if path.is_dir()]
    for name in ids:
        found = [path for path in folders if path.name.startswith(name) and len(name) >= 4]
        if not found:
            raise UsageError(f"there are no features with the ID '{name}'. `harness features list` shows all.")
        for path in found:
            shutil.rmtree(path, ignore_errors=True)
    if size is not None:
        room.shrink(int(size * 1e9))
    click.echo(f"{(before - room.used()) / 1e6:.1f} MB deleted, {room.used() / 1e9:.2f} GB kept.")
