"""Every entry of the paper tier is what its source says, knows its data from a part of it, and runs."""

from __future__ import annotations

import json

import pytest
from lookalikes import write

from harness import benchmarks
from harness.catalog import load_catalog

PAPER = {name: entry for name, entry in load_catalog().benchmarks.items() if entry.tier == "paper"}

READ = {json.dumps(entry.data, sort_keys=True): name for name, entry in reversed([*PAPER.items()])}
"""What is read in one way -> the first entry that reads it."""


def _on_part(entry):
    """The entry without what it says of the size of its splits."""
    data = entry.data | {"official": {}} | ({"counts": {}} if "counts" in entry.data else {})
    if data["format"] in ("imagenet", "wsol"):
        data |= {"classes": 3 if data["format"] == "imagenet" else 2}
    if "per_class" in data:
        data |= {"per_class": 1}
    return entry.model_copy(update={"data": data})


@pytest.mark.parametrize("name", sorted(READ.values()))
def test_a_part_of_the_data_is_told_from_all_of_it(openmmlab, tmp_path, name):
    """A look-alike in the official layout is read without a complaint but for its size, which no protocol has."""
    write(PAPER[name], tmp_path)
    part = benchmarks.task(_on_part(PAPER[name]))
    assert [problem for problem in part.check(tmp_path) if problem.fatal] == []
    listing = part.listing(tmp_path)
    assert len(listing.train) >= 2 and len(listing.test) >= 2
    floor = part.floor(tmp_path)
    assert part.primary in floor
    whole = benchmarks.task(PAPER[name])
    refused = [problem for problem in whole.check(tmp_path) if problem.fatal]
    sizes = {"training": whole.data.official.get("train"), "test": whole.data.official.get("test")}
    for split, size in sizes.items() if whole.data.official else ():
        assert any(f"{split} split" == problem.where and f"{size:,}" in problem.what for problem in refused)
    assert whole.data.official or all("frames" in problem.what for problem in refused if problem.where in PAPER[name].data["scenes"])
    assert refused


def test_every_entry_knows_how_large_its_splits_are():
    for name, entry in PAPER.items():
        data = benchmarks.task(entry).data
        assert {*data.official} >= {"train", "test"} or {*data.counts} == {*data.scenes}, name
