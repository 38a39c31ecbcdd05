"""Trials of every family look at their validation split as they train: all of it, with the test's evaluator, changing nothing."""

from __future__ import annotations

import pytest

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose import Selection, plan

SMALL = ("data.train=24", "data.test=12", "schedule.epochs=3", "schedule.batch_size=8")
CASES = {
    "scenes-localization": ("simpool", ("data.size=32", "data.calibrate=4")),
    "scenes-segmentation": ("emanet", ("data.size=48",)),
    "figures-keypoint": ("cbam", ()),
    "rooms": ("sigma-reparam", ("data.rooms=2", "data.train=12", "data.size=32", "data.resize=[32, 32]", "model.depth=[1, 1]")),
}
"""Benchmark -> a method with state or draws of its own, and what makes the benchmark small."""


@pytest.mark.parametrize("bench", CASES)
def test_every_family_is_validated_without_a_trace(openmmlab, tmp_path, bench):
    from harness.engine.trial import run_trial

    method, changes = CASES[bench]
    files = discover()
    planned = plan(Selection(methods=(method,), benchmarks=(bench,), overrides=(*SMALL, *changes)), load_catalog(), files)
    (trial,), task = planned.trials, planned.tasks[bench]
    load_plugins(set(trial.plugins), files)
    folder = data.ensure(task, None)
    assert len(task.listing(folder).val) == 6 * (2 if bench == "rooms" else 1)

    def run(name: str):
        (tmp_path / name).mkdir()
        return run_trial(trial, data=folder, work_dir=tmp_path / name)

    seen = run("seen")
    assert seen.curves.keys() == {"loss", *(f"val/{name}" for name in seen.metrics if "/" not in name)}
    assert all(points[:, 0].tolist() == [1, 2, 3] for points in seen.curves.values())
    for name in ("val_dataloader", "val_evaluator", "val_cfg"):
        del trial.config[name]
    blind = run("blind")
    assert blind.metrics == pytest.approx(seen.metrics, rel=0, abs=0, nan_ok=True)
    assert blind.curves["loss"].tolist() == seen.curves["loss"].tolist()
