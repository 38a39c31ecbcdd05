"""Fixtures shared by all tests."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def openmmlab() -> None:
    """The OpenMMLab stack, imported once for all tests that need it."""
    from harness.openmmlab import setup

    setup()


@pytest.fixture(autouse=True)
def _own_cache(request, tmp_path_factory, monkeypatch):
    """Tests never read or write the user's cache, database or data."""
    shared = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(shared))
    monkeypatch.delenv("HARNESS_DB", raising=False)
    monkeypatch.delenv("HARNESS_REGISTRY", raising=False)
    if not request.node.get_closest_marker("real"):
        monkeypatch.delenv("HARNESS_DATA", raising=False)
