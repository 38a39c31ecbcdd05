"""docs/json.md names every key that the verbs about regressions print or write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCUMENT = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")

BY_NAME = {"machines", "costs"}
"""Mappings whose keys are names."""

OPAQUE = {"settings", "packages"}
"""The same, of what the check does not look into."""


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from keys(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            if name not in OPAQUE:
                yield from keys([*item.values()] if name in BY_NAME and isinstance(item, dict) else item)


def undocumented(document: Any, heading: str) -> set[str]:
    """Keys that are in no ``code`` of the section."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {*keys(document)} - {word for code in re.findall(r"`([^`]+)`", section) for word in re.findall(r"\w+", code)}


def test_every_key_is_named(cli, measured, tmp_path):
    for method, level in (("gap", 70.0), ("gem", 80.0), ("simpool", 60.0)):
        measured(method, *(level + (seed % 3) for seed in range(8)))
    assert cli("baseline", "save", "b.json", "--seeds", "4", "--tolerance", "top1=1").exit_code == 0
    baseline = json.loads((tmp_path / "b.json").read_text())
    measured("gap", 10.0, 12.0, 11.0, 12.0)
    checked = json.loads(cli("check", "--baseline", "b.json", "--costs", "--json").stdout)
    calibrated = json.loads(cli("check", "--baseline", "b.json", "--calibrate", "100", "--json").stdout)
    history = json.loads(cli("history", "-b", "scenes-classification", "-m", "gap", "--json").stdout)
    assert len(baseline["cells"]) == 3 and baseline["cells"][0]["costs"] and checked["entries"] and checked["costs"]
    assert calibrated["false_alarms"]["resampled"] and history["rows"]
    assert undocumented(baseline, "Baseline files") == set()
    assert undocumented(checked, "harness check --json") == undocumented(calibrated, "harness check --json") == set()
    assert undocumented(history, "harness history --json") == set()
