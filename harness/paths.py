"""Where things lie: what the distribution ships, and what a run writes."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path

from harness.errors import UsageError

ROOM = 2 << 30
"""Free bytes of a disk that caches leave to results; with less, a run may end with a full disk."""


def home() -> Path:
    """The folder with ``registry.yaml``, ``dashboard/`` and ``results/``.

    The repository root in a checkout, ``harness/_bundled`` in an installed wheel.
    """
    bundled = Path(__file__).parent / "_bundled"
    return bundled if bundled.is_dir() else Path(__file__).parent.parent


@cache
def plugins() -> Path:
    """The package ``harness_plugins``: in ``plugins/`` of a checkout, beside ``harness`` in an installed wheel.

    Raises:
        UsageError: Python finds none or another one, so that it would run code that is not of this harness.
    """
    beside = Path(__file__).parent.parent
    checkout = beside / "plugins" / "harness_plugins"
    own = checkout if checkout.is_dir() else beside / "harness_plugins"
    spec = importlib.util.find_spec("harness_plugins")
    found = Path(spec.origin).parent if spec and spec.origin else None
    if found is None or found.resolve() != own.resolve():
        raise UsageError(
            f"Python imports {f'harness_plugins from {found}' if found else 'no harness_plugins'}, but this harness's lies in {own}. "
            "Install the harness anew, in a checkout with `make setup`."
        )
    return found


def cache_dir() -> Path:
    """Generated datasets, extracted features, remembered lists (``HARNESS_CACHE``); safe to delete at any time."""
    if given := os.environ.get("HARNESS_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("attention-harness"))


def default_database() -> str:
    """The database URL used without ``--db`` (``HARNESS_DB``)."""
    return os.environ.get("HARNESS_DB") or "sqlite:///results/harness.db"


def artifacts() -> str | None:
    """The URL at which trials leave their files besides, and where they are looked for (``HARNESS_ARTIFACTS``, ``--artifacts``)."""
    return os.environ.get("HARNESS_ARTIFACTS") or None


def registry_files() -> list[Path]:
    """The shipped registry, then ``HARNESS_REGISTRY`` (or ``registry.yaml`` of the current folder)."""
    shipped = home() / "registry.yaml"
    own = os.environ.get("HARNESS_REGISTRY")
    local = Path(own) if own else Path("registry.yaml")
    files = [shipped]
    if (own or local.is_file()) and local.resolve() != shipped.resolve():
        files.append(local)
    return files
