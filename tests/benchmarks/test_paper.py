"""Every entry of the paper tier is what its source says, knows its data from a part of it, and runs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from lookalikes import write
from PIL import Image

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


# ---------------------------------------------------------------- trials

SMALL = {
    "classification": {"data": {"size": 32, "resize": 36}},
    "object-localization": {"data": {"size": 48}, "model": {"taus": 20}},
    "segmentation": {"model": {"input": {"size": [48, 72], "crop": [40, 40]}}},
    "keypoint": {"data": {"size": [64, 96]}},
    "camera-localization": {"data": {"resize": 40, "crop": 32}},
}
"""What makes a trial of a family's entries short; networks, losses, augmentation and schedules stay."""

METHODS = {
    "classification": "gap",
    "object-localization": "gap",
    "segmentation": "dnl-add-disentangled-key",
    "keypoint": "psa-polarized-sequential",
    "camera-localization": "qk-alignment-plus-fixed-pe",
}

QUICK = ("cifar10-resnet18", "mpii-res50")


def _small(entry, weights=None):
    """The entry on a part of its data, for one epoch of batches of two, without pretrained weights or with made-up ones."""
    entry = _on_part(entry)
    merged = {part: dict(getattr(entry, part)) for part in ("data", "model", "schedule")}
    for part, values in SMALL[entry.family].items():
        for key, value in values.items():
            if isinstance(value, dict):
                value = merged[part][key] | value
            if key != "resize" or "resize" in merged[part] or entry.family == "camera-localization":
                merged[part][key] = value
    # Tiny-ImageNet has no fewer than 200 classes
    merged["schedule"] |= {"epochs": 1, "batch_size": 50 if entry.data["format"] == "tiny-imagenet" else 2}
    if "finetune" in merged["schedule"]:
        merged["schedule"]["finetune"] = merged["schedule"]["finetune"] | {"epochs": 1}
    model = merged["model"]
    model["weights"] = weights
    if "slide" in model.get("input", {}):
        model["input"] = model["input"] | {"slide": [24, 24]}
    if "ohem" in model:
        model["ohem"] = {"threshold": 0.7, "at_least": 50}
    if "img_size" in model["backbone"]:
        model["backbone"] = model["backbone"] | {"img_size": 32}
    return entry.model_copy(update=merged)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in PAPER])
def test_an_entry_runs_from_end_to_end(openmmlab, tmp_path, name):
    """On a look-alike: trained, tested, scored as its family declares, with everything of the entry but sizes and weights."""
    from mmengine.registry import MODELS

    from harness.catalog.plugins import discover, load_plugins
    from harness.compose import compose
    from harness.engine.trial import run_trial

    write(PAPER[name], tmp_path / "data")
    entry = _small(PAPER[name])
    if PAPER[name].model.get("frozen"):
        import torch

        bare = entry.model_copy(update={"model": entry.model | {"frozen": False}})
        backbone = benchmarks.task(bare).config({})["model"]["model"]["backbone"]
        torch.save(MODELS.build(backbone).state_dict(), tmp_path / "weights.pth")
        entry = _small(PAPER[name], {"file": str(tmp_path / "weights.pth")})
    task, files = benchmarks.task(entry), discover()
    method = load_catalog().methods[METHODS[entry.family]]
    trial = compose(method, task, 0, "fingerprint", files)
    load_plugins({*trial.plugins}, files)
    work = tmp_path / "work"
    work.mkdir()
    outcome = run_trial(trial, data=tmp_path / "data", work_dir=work)
    declared = {metric.name for metric in task.metrics}
    assert {metric.partition("/")[0] for metric in outcome.metrics} == declared and task.primary in outcome.metrics
    assert outcome.cost.params > 0
    if task.data.format == "mmseg" and task.data.predictions:
        written = sorted((work / "artifacts/predictions").glob("*.png"))
        assert len(written) == len(task.listing(tmp_path / "data").test) and math.isnan(outcome.metrics["mIoU"])
        ids = np.unique([np.asarray(Image.open(file)) for file in written])
        assert set(ids.tolist()) <= {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}
    else:
        assert all(value >= 0 for value in outcome.metrics.values() if not math.isnan(value))
