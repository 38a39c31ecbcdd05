"""``harness db``: the results database."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import Group, options
from harness.cli.output import left_out
from harness.texts import few, one_line


@click.group("db", cls=Group)
def command() -> None:
    """Upgrade, back up, export and import the results database."""


@command.command("upgrade")
@options.database
def upgrade(db: str) -> None:
    """Bring the database to this harness's schema.

    A database that is not there is created.
    """
    from harness.store import upgrade

    click.echo(one_line(f"{_shown(db)}: schema {upgrade(db)}"))


@command.command("current")
@options.database
def current(db: str) -> None:
    """Show which schema the database has."""
    from harness.store import current

    click.echo(one_line(f"{_shown(db)}: {f'schema {revision}' if (revision := current(db)) else 'empty'}"))


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@options.database
def backup(file: Path, db: str) -> None:
    """Copy everything to the SQLite file FILE.

    The copy is of one moment; runs may go on meanwhile. It is a database like any other (--db sqlite:///FILE), in which what was
    running is planned. Logs and pictures stay where they are.
    """
    from harness.store.backup import backup

    click.echo(one_line(f"{backup(db, file)} trials copied to {file}"))


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@options.database
def export(file: Path, db: str) -> None:
    """Write everything to FILE, one JSON document per line."""
    from harness.store import open_store

    click.echo(one_line(f"{open_store(db, read_only=True).export_to(file)} trials written to {file}"))


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@options.database
def import_(files: tuple[Path, ...], db: str) -> None:
    """Add what `harness db export` wrote.

    A result that is here already stays as it is, and gets what it lacks of the same attempt: scores of single samples, curves. Of a trial
    that is here with another result, by another device or machine, the one in FILE is left out, which is told.

    \b
    harness db import results/leaderboards/*.jsonl
    """
    from harness.store import open_store

    store = open_store(db)
    for file in files:
        done = store.import_from(file)
        where = f"{file}: " * (len(files) > 1)
        completed = f", {done.completed} completed (scores of single samples, curves, places)" if done.completed else ""
        click.echo(one_line(f"{where}{done.trials} trials added{completed}, {done.skipped} were there already"))
        if done.others:
            click.echo(one_line(f"{where}{left_out(done.others)} Those of the file need another database (--db, HARNESS_DB)."), err=True)
        if done.floors:
            click.echo(one_line(f"{where}floors that are here already stay, and are others in the file: {few(done.floors, 3)}."), err=True)


def _shown(db: str) -> str:
    """The URL without its password."""
    from harness.store.url import parse, shown

    return shown(parse(db))
