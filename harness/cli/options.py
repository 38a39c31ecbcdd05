"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

from harness import paths
from harness.catalog.schema import FAMILIES

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md describes its shape).")

database = click.option(
    "--db",
    metavar="URL",
    default=paths.default_database,
    show_default="HARNESS_DB, or sqlite:///results/harness.db",
    help="Database with the results: any SQLAlchemy URL.",
)

family = click.option("--family", type=click.Choice(FAMILIES), help="Only this family of benchmarks.")

benchmarks = click.option("-b", "--benchmark", "benchmarks", multiple=True, metavar="BENCHMARK", help="Only this benchmark; may be repeated.")

data_root = click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with the real datasets. [default: HARNESS_DATA]",
)

plugin_files = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A plugin file from anywhere; without a registry entry it is a method of its own name. May be repeated.",
)
