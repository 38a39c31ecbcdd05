"""Weights that an address holds, fetched once. Imports no torch."""

from __future__ import annotations

import hashlib

from harness.benchmarks.options import Weights
from harness.benchmarks.weights import fetched
from harness.errors import UsageError
from harness.files import whole
from harness.remote import shown
from harness.texts import visible

_PATIENCE = 60.0
"""Seconds for which an address may be silent."""

_PART = 1 << 20
"""Bytes that are read at once."""


def fetch(weights: Weights | None) -> None:
    """Have the file of an address on this machine; nothing where it is, or where the weights come from elsewhere.

    Raises:
        UsageError: the address does not answer, what it holds has another sha256, or the file cannot be written.
    """
    if weights is None or not weights.url or fetched(weights).is_file():
        return
    import urllib.request
    from http.client import HTTPException
    from urllib.error import HTTPError

    from rich.console import Console
    from rich.progress import Progress

    file, address, hasher = fetched(weights), weights.url, hashlib.sha256()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        request = urllib.request.Request(address, headers={"User-Agent": "attention-harness"})
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer, Progress(console=Console(stderr=True)) as progress:
            size = answer.headers.get("Content-Length", "")
            bar = progress.add_task(visible(file.name), total=int(size) if size.isdecimal() else None)
            with whole(file, "wb") as stream:
                while part := answer.read(_PART):
                    stream.write(part)
                    hasher.update(part)
                    progress.advance(bar, len(part))
                _as_announced(weights, hasher.hexdigest())
    except (OSError, HTTPException) as error:  # what urllib raises is an OSError, too
        reason = error if isinstance(error, HTTPError) else getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UsageError(
            f"model.weights.url: {shown(address)} cannot be fetched to {file.parent}: {reason}. Mend that, or give the file's path as "
            "model.weights.file."
        ) from error


def _as_announced(weights: Weights, actual: str) -> None:
    if weights.sha256 and not actual.startswith(weights.sha256.lower()):
        raise UsageError(
            f"model.weights.url: what {shown(weights.url or '')} holds has sha256 {actual[:16]}…, expected {weights.sha256[:16]}…. "
            "Correct the address or the digest."
        )
