"""``harness list``: what exists."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import click

from harness.cli import Group, options
from harness.cli.output import print_json, print_rows, say
from harness.cli.remembered import Rows, remembered
from harness.texts import few


@click.group("list", cls=Group)
def command() -> None:
    """Show methods, benchmarks, backbones, claims, suites and plugins.

    \b
    harness list methods --family segmentation
    harness list plugins --json
    """
    gc.set_threshold(100_000)  # what follows imports and prints: there is no garbage worth a look on the way


@command.command("methods")
@options.family
@options.as_json
def methods(family: str | None, as_json: bool) -> None:
    """What can be evaluated, and which slots it fills.

    Each works, wraps OpenMMLab, waits for a family of benchmarks or is planned; of the last two it says what is missing.
    """

    def find() -> Rows:
        from harness.listing import list_methods

        return list_methods(family)

    rows = remembered(find, "methods", family)
    if as_json:
        print_json({"rows": rows})
        return
    cells = [
        [
            row["id"],
            " + ".join(row["slots"]),
            row["state"],
            f"{row['title']} ({row['paper']['venue']})" if row["paper"] else row["title"],
            f"missing: {row['missing']}" if row["missing"] else row["params"],
        ]
        for row in rows
    ]
    print_rows(["method", "slots", "state", "title and paper", "parameters (d: width)"], cells, fold=["slots", "title and paper"])


@command.command("benchmarks")
@options.family
@click.option(
    "--resolution",
    is_flag=True,
    help="Show the smallest difference of two methods that 2, 3, 5 and 10 seeds show, from the results in --db.",
)
@options.as_json
@options.database
def benchmarks(family: str | None, resolution: bool, as_json: bool, db: str) -> None:
    """Datasets, each with a model, schedule and metrics.

    Synthetic ones are generated; the others are read from --data-root.
    """
    if resolution:
        _resolution(family, as_json, db)
        return

    def find() -> Rows:
        from harness.listing import list_benchmarks

        return list_benchmarks(family, validated=as_json)

    rows = remembered(find, "benchmarks", family, as_json)
    if as_json:
        print_json({"rows": rows})
        return
    cells = [[row["id"], row["family"], row["tier"], row["version"], row["primary"], row["title"]] for row in rows]
    print_rows(["benchmark", "family", "tier", "v", "metric", "title"], cells, right=["v"], fold=["family"])


def _resolution(family: str | None, as_json: bool, db: str) -> None:
    from harness.analysis import source
    from harness.analysis.numbers import NOTHING, SHARE, number, significant
    from harness.analysis.resolution import resolution
    from harness.analysis.standing import SEEDS
    from harness.catalog import load_catalog

    names = [name for name, bench in load_catalog().benchmarks.items() if family in (None, bench.family)]
    rows = resolution(source.board(db, metrics="primary", moderated=False, families=[family] if family else None), names)
    if as_json:
        print_json({"rows": rows})
        return

    def of(row: dict[str, Any], seeds: int) -> str:
        least = row["resolution"][str(seeds)]
        return NOTHING if row["unit"] == "%" and least > 100 else significant(least, 2)

    titles = ["benchmark", "v", "metric", "methods", "seeds", "range", *(f"{seeds} seeds" for seeds in SEEDS), "τ"]
    cells = [
        [
            f"{row['benchmark']} · {row['differs']}" if row["differs"] else row["benchmark"],
            row["version"],
            f"{row['metric']} {row['unit']}".strip(),
            row["methods"],
            row["seeds"],
            significant(row["range"], 2),
            *(of(row, seeds) for seeds in SEEDS),
            number(row["tau"], SHARE),
        ]
        for row in rows
        if row["methods"]
    ]
    if cells:
        print_rows(titles, cells, right=[title for title in titles if title not in ("benchmark", "metric")], fold=["benchmark", "metric"])
        click.echo()
        say("Difference of two methods of median spread that so many seeds show with a chance of 80 %; range: best mean less worst.")
        say("τ: agreement to be expected between the order found and that of as many new seeds (Kendall; 1 the same, 0 none).")
    if without := [row["benchmark"] for row in rows if not row["methods"]]:
        mend = "`harness run -m A -m B -b BENCHMARK --seeds 3` makes some."
        say(f"Fewer than two methods with 2 seeds, or all seeds alike: {few(without)}. {mend}")


@command.command("backbones")
@options.as_json
def backbones(as_json: bool) -> None:
    """Backbones that a benchmark's `model.backbone` names.

    Each gives feature maps of some width and stride; `model.levels` chooses among them. `timm:NAME` and `torchvision:NAME` are names,
    too, and any other OpenMMLab backbone is given by its config (docs/data.md).
    """

    def find() -> Rows:
        from harness.listing import list_backbones

        return list_backbones()

    rows = remembered(find, "backbones")
    if as_json:
        print_json({"rows": rows})
        return
    cells = [
        [
            row["id"],
            row["class"],
            ", ".join(f"{level}: {of['channels']} /{of['stride']}" for level, of in row["levels"].items()),
            str(row["last"]),
            ", ".join(map(str, row["pair"])),
            row["block_at"],
        ]
        for row in rows
    ]
    titles = ["backbone", "OpenMMLab class", "level: channels /stride", "one map", "two maps", "blocks after"]
    print_rows(titles, cells, fold=["level: channels /stride"])


@command.command("claims")
@options.family
@options.as_json
def claims(family: str | None, as_json: bool) -> None:
    """What papers say of methods.

    Each with the benchmarks that can judge it; `harness claims` holds it against what was measured.
    """

    def find() -> Rows:
        from harness.listing import list_claims

        return list_claims(family)

    rows = remembered(find, "claims", family)
    if as_json:
        print_json({"rows": rows})
        return
    cells = [[row["id"], row["family"], row["measure"], row["source"], row["statement"], _judges(row)] for row in rows]
    print_rows(["claim", "family", "by", "source", "statement", "benchmarks"], cells, fold=["source", "statement"])


def _judges(row: dict[str, Any]) -> str:
    return f"missing: {row['missing']}" if row["missing"] else ", ".join(row["benchmarks"])


@command.command("suites")
@options.family
@options.as_json
def suites(family: str | None, as_json: bool) -> None:
    """Methods, benchmarks and seeds for `harness run -s`."""

    def find() -> Rows:
        from harness.listing import list_suites

        return list_suites(family)

    rows = remembered(find, "suites", family)
    if as_json:
        print_json({"rows": rows})
        return
    cells = [[row["id"], row["seeds"], len(row["methods"]), ", ".join(row["benchmarks"]), row["title"]] for row in rows]
    print_rows(["suite", "seeds", "methods", "benchmarks", "title"], cells, right=["seeds", "methods"], fold=["benchmarks"])


@command.command("plugins")
@options.family
@options.plugin_files
@options.as_json
def plugins(family: str | None, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Plugin files: where each comes from and whether it imports.

    Files are imported in a process apart, once per content; one that ends that process costs its own verdict only.
    """

    def find() -> Rows:
        from harness.listing import list_plugins

        return list_plugins(
            family,
            plugins,
            on_check=lambda count: click.echo(f"importing {count} new plugin files in a process of their own ...", err=True),
        )

    rows = find() if plugins else remembered(find, "plugins", family)
    if as_json:
        print_json({"rows": rows})
        return
    cells = [[row["name"], row["slot"], row["state"], row["origin"], row["error"] or _near(row["file"])] for row in rows]
    print_rows(["plugin", "slot", "state", "origin", "file, or what is wrong with it"], cells)


def _near(file: str) -> str:
    """A shipped file's path inside the shipped package."""
    from harness import paths

    return file.removeprefix(f"{paths.plugins()}/")
