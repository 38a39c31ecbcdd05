"""Errors a user can act on: one or two sentences that name the culprit and the mend."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class HarnessError(Exception):
    """Base of every error shown to a user without a traceback."""

    exit_code = 2


class UsageError(HarnessError):
    """Wrong usage or configuration: an unknown name, a malformed entry, a missing file."""


class DataError(HarnessError):
    """A dataset is missing or malformed."""


class TrialError(HarnessError):
    """A trial cannot yield a result (NaN loss, out of memory, time-out)."""

    exit_code = 3


_MOST = 40
"""So many known names are told where none is near; more would bury the error."""


def did_you_mean(name: str, known: Iterable[str], what: str, listing: str | None = None) -> UsageError:
    """The error for an unknown ``name`` among ``known``, with the nearest matches.

    Args:
        what: the kind of thing named, e.g. ``"method"``.
        listing: the command that lists what exists.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    if listing:
        hint = f"{hint} `{listing}` shows what there is.".strip()
    elif not near and 0 < len(known) <= _MOST:
        hint = f"Known: {', '.join(known)}."
    return UsageError(f"unknown {what} '{name}'. {hint}".strip())


@contextlib.contextmanager
def writing(file: Path, mend: str = "Give another file.") -> Iterator[None]:
    """While what a user gave the name of is written.

    Raises:
        UsageError: it cannot be; ends with ``mend``.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror or error}. {mend}") from error
