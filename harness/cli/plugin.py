"""``harness plugin``: write a plugin, and check that it keeps its slot's contract."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import Group, options
from harness.cli.output import print_json, print_rows
from harness.texts import one_line


@click.group("plugin", cls=Group)
def command() -> None:
    """Write a plugin, or check its slot's contract."""


@command.command("new")
@click.argument("name")
@click.option("--slot", type=options.Name("slot"), required=True, metavar="SLOT", help="The place it fills, e.g. pooling or block.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Where to write.  [default: the current folder]"
)
def new(name: str, slot: str, folder: Path) -> None:
    """Write a working plugin file and its registry entry.

    \b
    harness plugin new my-pool --slot pooling
    """
    from harness.plugin_tools.scaffold import scaffold

    written = scaffold(name, slot, folder)
    for file in written.files:
        click.echo(one_line(f"wrote {file}"))
    click.echo("next:")
    for line in written.commands:
        click.echo(f"  {line}")


@command.command("check")
@click.argument("target", metavar="NAME|FILE")
@options.as_json
@click.pass_context
def check(ctx: click.Context, target: str, as_json: bool) -> None:
    """Run the contract of a plugin's slot and print what holds.

    Shapes, precisions, odd sizes, gradients, determinism, compilation and cost. A plugin that cannot be
    built, or does not run, is told so once. The exit code is 3 if something does not hold.

    \b
    harness plugin check simpool
    harness plugin check my_pool.py
    """
    from harness.plugin_tools.contract import check

    report = check(target)
    if as_json:
        print_json({"ok": report.ok, "rows": [vars(row) for row in report.rows]})
    else:
        marks = {True: "ok", False: "FAILS", None: "-"}
        print_rows(["plugin", "check", "", "what"], [[row.plugin, row.check, marks[row.ok], row.detail] for row in report.rows])
    ctx.exit(0 if report.ok else 3)
