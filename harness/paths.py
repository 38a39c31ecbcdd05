"""Where things lie: what the distribution ships, and what a run writes."""

from __future__ import annotations

import os
from pathlib import Path

ROOM = 2 << 30
"""Free bytes of a disk that caches leave to results; with less, a run may end with a full disk."""


def home() -> Path:
    """The folder with ``registry.yaml``, ``plugins/``, ``dashboard/`` and ``results/``.

    The repository root in a checkout, ``harness/_bundled`` in an installed wheel.
    """
    bundled = Path(__file__).parent / "_bundled"
    return bundled if bundled.is_dir() else Path(__file__).parent.parent


def cache_dir() -> Path:
    """Generated datasets, extracted features, remembered lists (``HARNESS_CACHE``); safe to delete at any time."""
    if given := os.environ.get("HARNESS_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("attention-harness"))


def default_database() -> str:
    """The database URL used without ``--db`` (``HARNESS_DB``)."""
    return os.environ.get("HARNESS_DB") or "sqlite:///results/harness.db"


def registry_files() -> list[Path]:
    """The shipped registry, then ``HARNESS_REGISTRY`` (or ``registry.yaml`` of the current folder)."""
    shipped = home() / "registry.yaml"
    own = os.environ.get("HARNESS_REGISTRY")
    local = Path(own) if own else Path("registry.yaml")
    files = [shipped]
    if (own or local.is_file()) and local.resolve() != shipped.resolve():
        files.append(local)
    return files
