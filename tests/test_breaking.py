"""Malformed inputs made at random: no traceback, no hang, no nonsense taken; ``perf/malformed.py`` tries thousands."""

from __future__ import annotations

import os

import pytest
from breaking import AREAS, area
from breaking.case import run

LIGHT = ("registries", "flags", "exports", "baselines", "databases")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder that an area has prepared."""
    found = {}

    def of(name: str):
        if name not in found:
            found[name] = tmp_path_factory.mktemp(name)
            area(name).prepare(found[name])
        return found[name]

    return of


def _try(name: str, cases: int, seed: int, shared) -> None:
    wrong = [(number, row["what"], row["wrong"]) for number in range(cases) if "wrong" in (row := run(name, number, seed, shared))]
    assert wrong == []


@pytest.mark.parametrize("name", LIGHT)
def test_nothing_malformed_is_taken_for_right(name, prepared):
    _try(name, 8, 0, prepared(name))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", AREAS)
def test_nothing_malformed_is_taken_for_right_at_length(name, prepared):
    _try(name, int(os.environ.get("HARNESS_EXAMPLES", "2")) * AREAS[name], 1, prepared(name))
