"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def openmmlab() -> None:
    """The OpenMMLab stack, imported once for all tests that need it."""
    from harness.benchmarks.register import setup

    setup()


@pytest.fixture(autouse=True)
def _own_cache(request, tmp_path_factory, monkeypatch):
    """Tests never read or write the user's cache, database or data."""
    shared = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(shared))
    monkeypatch.delenv("HARNESS_DB", raising=False)
    monkeypatch.delenv("HARNESS_REGISTRY", raising=False)
    monkeypatch.delenv("HARNESS_ARTIFACTS", raising=False)
    if not request.node.get_closest_marker("real"):
        monkeypatch.delenv("HARNESS_DATA", raising=False)
    elif "HARNESS_DATA" not in os.environ:
        pytest.skip("HARNESS_DATA is not set: the folder with the real datasets")


@pytest.fixture(autouse=True)
def _own_scope():
    """A test that runs an OpenMMLab model leaves its default scope behind, which would answer the next test's names."""
    yield
    if "mmengine" in sys.modules:
        from mmengine.registry import DefaultScope

        DefaultScope._instance_dict.clear()


@pytest.fixture
def measured(tmp_path):
    """Store trials of classification scenes, see :func:`measuring.recorder`."""
    from measuring import recorder

    return recorder(tmp_path)
