"""Whether a trial's datasets hold what the reader lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.benchmarks import task
from harness.benchmarks.base import DATA, SPLITS
from harness.catalog import Benchmark
from harness.images import read_bgr


def _built(entry: Benchmark, root: Path, split: str) -> list[dict[str, Any]]:
    from mmengine.registry import DATASETS, DefaultScope

    from harness.compose.bare import _placed

    config = task(entry).config({})
    with DefaultScope.overwrite_default_scope(config["default_scope"]):
        dataset = DATASETS.build(_placed(config[f"{split}_dataloader"]["dataset"], {DATA: str(root)}))
        return [(dataset.get_data_info(index), dataset[index]) for index in range(len(dataset))]


def examine(entry: Benchmark, root: Path) -> bool:
    """Hold the trial's datasets against the reader; whether a trial could run."""
    found = task(entry)
    if any(problem.fatal for problem in found.check(root)):
        return False
    listing = found.listing(root)
    decoding = listing.decoding(found.data)
    for split in SPLITS:
        expected = listing.split(split)
        assert expected or split == "val", f"nothing fatal, and no {split} sample"
        if f"{split}_dataloader" not in found.config({}):  # of what trains nothing
            continue
        built = _built(entry, root, split)
        if entry.family == "object-localization" and split != "train":
            built = [item for item in built if not item[0]["calibration"]]
        assert [info["img_path"] for info, _ in built] == [str(listing.image(sample)) for sample in expected]
        assert all(info["decoding"] == decoding for info, _ in built)
        for sample in expected:
            assert read_bgr(listing.image(sample), decoding).ndim == 3
        assert all("inputs" in item for _, item in built)
    if not listing.same_twice or listing.val:
        for one, other in (("train", "val"), ("val", "test")):
            assert not {*listing.images(one)} & {*listing.images(other)}
    floor = found.floor(root)
    assert floor and all(isinstance(value, float) for value in floor.values())
    assert len(found.samples(root, 3)) == min(3, len(listing.split("test")))
    return True


def entry_of(content: dict[str, Any]) -> Benchmark:
    return Benchmark(id="any", **{**content, "data": {**content["data"], "root": "x"}})
