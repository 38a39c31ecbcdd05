"""A trial trained by two processes is that of one with the same batch."""

from __future__ import annotations

import pytest

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose import Selection, plan
from harness.engine import isolate, prepare

SMALL = (
    *("data.train=48", "data.test=25", "data.size=32", "schedule.epochs=3", "schedule.batch_size=16"),
    *("schedule.optimizer=SGD", "schedule.lr=0.02"),  # Adam makes a step of every rounding where a gradient is 0
)
NORMALIZED_BY_IMAGE = (
    "model.backbone={type: mmpretrain.VisionTransformer, arch: deit-tiny, img_size: 32, patch_size: 8, out_type: featmap, "
    "_channels: [192]}",
)
"""Batch normalization would see half a batch on a CPU, which torch does not synchronize."""


def trained(tmp_path, device, *overrides, **options):
    files = discover()
    planned = plan(
        Selection(methods=("gap",), benchmarks=("scenes-classification",), overrides=(*SMALL, *overrides)), load_catalog(), files
    )
    (trial,) = planned.trials
    load_plugins(set(trial.plugins), files)
    folder = data.ensure(planned.tasks[trial.benchmark], None)
    work = tmp_path / device
    work.mkdir()

    def run():
        from harness.engine.trial import run_trial

        found = run_trial(trial, data=folder, work_dir=work, device=device, **options)
        curves = {name: curve.tolist() for name, curve in found.curves.items()}
        scores = {name: values.tolist() for name, values in found.per_sample.items()}
        return [found.metrics, curves, scores, found.environment.get("devices"), found.cost.params, found.cost.train_memory_mb > 0]

    prepare.end_thread_pools()
    return isolate.start(run).result()


def test_two_processes_equal_one(openmmlab, tmp_path):
    one, two = (trained(tmp_path, device, *NORMALIZED_BY_IMAGE) for device in ("cpu", "cpu,cpu"))
    assert two[3] == 2 and one[3] is None and two[4:] == one[4:]
    assert one[0] == pytest.approx(two[0], abs=1e-4)
    assert one[1].keys() == two[1].keys() == {"loss", "val/top1", "val/top5"}
    for name, points in one[1].items():
        for (epoch, value), (its, other) in zip(points, two[1][name], strict=True):
            assert epoch == its and value == pytest.approx(other, rel=1e-4), name
    for name, values in one[2].items():
        assert len(values) == 25 and values == pytest.approx(two[2][name], abs=1e-4), name


def test_what_is_left_of_a_batch_for_each_process_is_halved(openmmlab, tmp_path):
    """Of six images each has three; of three, which the two could not divide, none would have been tried."""
    metrics, curves, *_ = trained(tmp_path, "cpu,cpu", "schedule.batch_size=6", "schedule.epochs=1", batch_divisor=2)
    assert metrics and len(curves["loss"]) == 1


def test_what_a_process_refuses_is_said_in_its_words(openmmlab, tmp_path):
    with pytest.raises(isolate.Isolated, match=r"^schedule\.batch_size: 15 images cannot be divided among 2 devices\."):
        trained(tmp_path, "cpu,cpu", "schedule.batch_size=15")
