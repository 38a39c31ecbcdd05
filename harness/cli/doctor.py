"""``harness doctor``: what works here."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.cli.output import print_json, print_rows


@click.command("doctor")
@options.data_root
@options.database
@options.as_json
@click.pass_context
def command(ctx: click.Context, data_root: Path | None, db: str, as_json: bool) -> None:
    """Show what works here, and for each problem the mend.

    Importing the OpenMMLab stack takes 10 to 20 seconds. The exit code is 3 if something needed is broken.
    """
    from harness.doctor import examine

    findings = list(examine(db, options.known_data_root(data_root)))
    broken = [finding for finding in findings if finding.state == "broken"]
    if as_json:
        print_json({"ok": not broken, "rows": [vars(finding) for finding in findings]})
    else:
        marks = {"ok": "ok", "note": "-", "broken": "BROKEN"}
        cells = [[f.part, f.name, marks[f.state], f"{f.what.rstrip('.')}. {f.mend}" if f.mend else f.what] for f in findings]
        print_rows(["part", "name", "", "what"], cells)
        click.echo(f"{len(broken)} things are broken." if broken else "everything needed works.")
    ctx.exit(3 if broken else 0)
