"""The command line: one verb per file; each parses, calls a library function and maps the outcome to an exit code.

Exit codes: 0 all well, 1 regression found, 2 wrong usage or configuration, 3 trials failed or missing,
4 nothing to compare.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from harness import __version__
from harness.cli.streams import outlive_readers
from harness.engine.signals import interruptible
from harness.errors import HarnessError, did_you_mean
from harness.texts import visible

VERBS = (
    "doctor",
    "list",
    "run",
    "worker",
    "submit",
    "status",
    "evaluate",
    "show",
    "leaderboard",
    "compare",
    "claims",
    "publish",
    "report",
    "baseline",
    "check",
    "history",
    "plugin",
    "config",
    "data",
    "features",
    "dashboard",
    "db",
)
"""In the order a newcomer meets them; each is ``harness.cli.<verb>.command``."""


class Failure(click.ClickException):
    """An error for the user's eyes: a sentence on stderr and an exit code."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # a class variable for click, which reads it of the exception

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {_shown(self.format_message())}", file=file or sys.stderr)


_LONGEST = 2000
"""Characters of an error: what is longer repeats what was given."""


def _shown(message: str) -> str:
    """A message with what was given in it: no longer than it has to be, and nothing that a terminal would obey."""
    short = re.sub(r"\S{300,}", lambda word: f"{word[0][:100]}…", message)
    return visible(short if len(short) <= _LONGEST else f"{short[: _LONGEST // 4]} … {short[-_LONGEST // 2 :]}", "\n\t")


@contextmanager
def _complaining() -> Iterator[None]:
    """While click reads what was given."""
    try:
        yield
    except click.ClickException as error:
        error.message = _shown(error.message)  # type: ignore[misc]  # of a given word, which click shows as it is
        raise


def _keep_traceback() -> str:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="harness-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(traceback.format_exc())
    return log.name


def _damaged(ctx: click.Context) -> str | None:
    """Whether the database is to blame, where a command reads one."""
    from harness.cli.options import DATABASE

    if DATABASE not in ctx.meta:
        return None
    from harness.store.damage import damage

    return damage(ctx.meta[DATABASE])


class Group(click.Group):
    """Answers an unknown command with the nearest known ones."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known:
            raise did_you_mean(args[0], known, "command", f"{ctx.command_path} --help")
        return super().resolve_command(ctx, args)


class Verbs(Group):
    """Imports a verb's module when it is asked for, and turns every exception into one sentence."""

    def main(self, *args: Any, **options: Any) -> Any:
        outlive_readers()
        atexit.register(gc.freeze)  # or else all that was imported is gone through once more, which takes a tenth of a second
        return super().main(*args, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS]  # once its module is imported, `list` is the verb of that name here

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return importlib.import_module(f"harness.cli.{name}").command if name in VERBS else None

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _complaining():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> None:
        try:
            os.getcwd()
        except FileNotFoundError:
            raise Failure("the current folder no longer exists. Change into one that does.", 2) from None
        try:
            with interruptible(), _complaining():
                super().invoke(ctx)
        except HarnessError as error:
            raise Failure(str(error), error.exit_code) from None
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except (KeyboardInterrupt, click.Abort):
            raise Failure("interrupted. The same command goes on where it stopped.", 130) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
                raise Failure(f"{error.filename}: no file can have so long a name. Give a shorter one.", 2) from None
            if damaged := _damaged(ctx):
                raise Failure(damaged, 2) from None
            raise Failure(f"unexpected {type(error).__name__}: {error}. The traceback is in {_keep_traceback()}.", 3) from None


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all well, 1 regression found, 2 wrong usage or configuration, 3 trials failed or missing, 4 nothing to compare.",
)
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Evaluate visual attention methods side by side and keep what was measured.

    \b
    harness run -s quick                    every family in minutes, no GPU, no download
    harness leaderboard                     mean, 95 % interval, floor and cost of every method
    harness plugin new my-pool --slot pooling
    harness run -m my-pool -m gap -b scenes-classification --seeds 3
    """
