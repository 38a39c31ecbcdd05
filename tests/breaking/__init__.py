"""Malformed inputs made at random: what they may do, and what they did.

An area makes cases: each writes something broken into an empty folder and says whether the harness must refuse it, must take it, or may
do either; who takes it is asked whether what came of it makes sense. ``perf/malformed.py`` runs thousands, ``test_breaking.py`` some.
"""

from __future__ import annotations

import importlib

AREAS = {
    "readers": 24, "registries": 18, "flags": 18, "exports": 12, "databases": 10, "baselines": 8, "weights": 6, "configs": 10,
    "plugins": 12,
}  # fmt: skip
"""Area -> its share of the cases."""


def area(name: str):
    """The module of an area, with ``prepare(folder)`` and ``make(dice, folder, shared)``."""
    return importlib.import_module(f"breaking.{name}")
