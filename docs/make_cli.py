"""Write docs/cli.md from the command line's own help: ``python docs/make_cli.py``. A test keeps it current."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from harness.cli import main

TARGET = Path(__file__).parent / "cli.md"

HEAD = """# Command line

Written by `python docs/make_cli.py` from `--help`; do not edit by hand. [json.md](json.md) describes what `--json` prints.

| exit code | meaning |
|---|---|
| 0 | all well |
| 1 | `harness check` found a regression |
| 2 | wrong usage, configuration or data |
| 3 | trials failed or are missing; something needed is broken |
| 4 | nothing to compare |
| 130 | interrupted; the same command goes on where it stopped |

An error is one or two sentences on stderr that name the culprit and the mend; an unknown option or verb of a verb is
answered with its usage besides. What nobody foresaw is exit code 3 and the path of a file with the traceback.

In a terminal tables fit its width: long cells are folded, and what has least to say makes room. In a pipe or a file a row is
a line and nothing is left out, so `harness list methods | grep pooling` finds whole rows.
"""


def _pages(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, context.get_help()
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            yield from _pages(child, click.Context(child, info_name=name, parent=context, terminal_width=100))


def text() -> str:
    """The whole page."""
    pages = _pages(main, click.Context(main, info_name="harness", terminal_width=100, **main.context_settings))
    return HEAD + "".join(f"\n## {path}\n\n```text\n{page.rstrip()}\n```\n" for path, page in pages)


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
