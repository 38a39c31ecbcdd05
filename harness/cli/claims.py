"""``harness claims``: what papers say, against what was measured here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import print_json, print_rows, say, write_file
from harness.texts import amount

if TYPE_CHECKING:
    from harness.analysis.claims.verdicts import Judged


@click.command("claims")
@click.argument("claim", required=False)
@options.family
@click.option("--tuned", is_flag=True, help="Judge methods that were tuned alike (`harness run --tune N`), not as registered.")
@click.option("--missing", is_flag=True, help="Print the commands that measure what is not measured yet and can be here.")
@options.data_root
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Also write the table as Markdown.")
@options.as_json
@options.database
def command(
    claim: str | None,
    family: str | None,
    tuned: bool,
    missing: bool,
    data_root: Path | None,
    markdown: Path | None,
    as_json: bool,
    db: str,
) -> None:
    """Hold published claims against what was measured here.

    Each claim gets a verdict per tier: `agrees`, `disagrees`, `undecided` or `not measured`, at 5 % after Holm's correction
    over all tests of the tier. Differences are towards the claim: positive is as published; of methods that are said to be
    alike they are plain. Measurements on synthetic and small benchmarks reproduce no paper. With CLAIM, that one with its
    sources and its evidence.

    \b
    harness claims --family segmentation
    harness claims simpool-over-gap
    harness claims --tuned
    harness claims --missing
    """
    from harness.analysis import source
    from harness.analysis.claims import tables as claim_tables
    from harness.analysis.claims import verdicts
    from harness.analysis.settings import CHOICE
    from harness.catalog import load_catalog
    from harness.errors import UsageError, did_you_mean

    if tuned and missing:
        raise UsageError("--missing prints what measures methods as registered. Leave --tuned out, and add --tune N to the commands.")
    known = load_catalog().claims
    if claim is not None and claim not in known:
        raise did_you_mean(claim, known, "claim", "harness list claims")
    if told := options.absent(db):
        click.echo(told, err=True)
    # verdicts are corrected over all claims, whichever are shown
    rows = [row for row in source.claims(db, tuned=tuned) if claim in (None, row.claim.id) and family in (None, row.claim.family)]
    if markdown is not None:
        write_file(markdown, claim_tables.markdown(rows, tuned))
    if as_json:
        print_json({"tuned": tuned, "rows": verdicts.as_json(rows)})
    elif missing:
        _show_commands(rows, options.known_data_root(data_root))
    elif claim is not None:
        _show_one(rows)
    else:
        say(f"{verdicts.HEAD}\n")
        for line in claim_tables.counts(rows):
            say(line)
        click.echo()
        print_rows(claim_tables.HEADER, claim_tables.overview(rows), fold=claim_tables.HEADER)
        say(f"\n{claim_tables.HOLM}")
        for note in claim_tables.notes(rows):
            say(f"\n{note}")
    if tuned and not as_json:
        say(f"\n{CHOICE}")


def _show_one(rows: list[Judged]) -> None:
    from harness.analysis.claims import tables as claim_tables
    from harness.analysis.claims import verdicts

    claim = rows[0].claim
    say(f"{claim.id}\n{claim.statement}\n")
    for name, text in claim_tables.about(claim):
        click.echo(f"{name:<10} {text}")
    click.echo()
    for row in rows:
        click.echo(f"{claim_tables.ON[row.tier]}: {row.verdict}{f' ({row.reason})' if row.reason else ''}")
    if any(row.tests for row in rows):
        click.echo()
        print_rows(claim_tables.EVIDENCE, claim_tables.evidence(rows), right=["a", "b", "difference", "p", "Holm"])
        say(f"\n{claim_tables.HOLM}")
        for note in claim_tables.notes(rows):
            say(f"\n{note}")
        say(f"\n{verdicts.HEAD}")


def _show_commands(rows: list[Judged], root: Path | None) -> None:
    from harness import benchmarks, data
    from harness.analysis.claims import tables as claim_tables
    from harness.catalog import load_catalog
    from harness.errors import HarnessError

    entries, absent = load_catalog().benchmarks, []
    for name, line in claim_tables.commands(rows, entries):
        try:
            data.locate(benchmarks.task(entries[name]), root)
        except HarnessError:
            absent.append(name)
            continue
        before, _, after = line.partition("  #")
        click.echo(f"{before}{f' --data-root {root}' if root else ''}  #{after}")
    if absent:
        click.echo(f"no data here for {', '.join(absent)}: `harness data list` says where it is looked for.", err=True)
    if none := [row.claim.id for row in rows if row.tier is None]:
        click.echo(f"no benchmark yet for {amount(len(none), 'claim')}: `harness claims CLAIM` says why.", err=True)
