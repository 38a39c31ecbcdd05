"""A training that is counted in iterations, killed between two of them, yields what an uninterrupted one yields."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.openmmlab.entry import parts
from harness.catalog import Benchmark, load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose import compose

STEPS = [{"type": "LoadImageFromFile"}, {"type": "RandomCrop", "crop_size": 32, "padding": 4}, {"type": "RandomFlip", "prob": 0.5}]


def config(root, sampler: str, interval: int, patience: int = 0, **optimizing):
    def loader(split, sampler):
        pipeline = [*(STEPS if split == "train" else STEPS[:1]), {"type": "PackInputs"}]
        dataset = {"type": "CustomDataset", "data_root": str(root), "data_prefix": split, "pipeline": pipeline}
        return {"batch_size": 4, "sampler": {"type": sampler, "shuffle": split == "train"}, "dataset": dataset}

    return {
        "default_scope": "mmpretrain",
        "model": {
            "type": "ImageClassifier",
            "data_preprocessor": {"num_classes": 2, "mean": [127.0] * 3, "std": [60.0] * 3},
            "backbone": {"type": "ResNet", "depth": 18, "stem_channels": 8, "base_channels": 8, "drop_path_rate": 0.5},
            "neck": {"type": "GlobalAveragePooling"},
            "head": {"type": "LinearClsHead", "num_classes": 2, "in_channels": 64, "loss": {"type": "CrossEntropyLoss"}},
        },
        "train_dataloader": loader("train", sampler),
        "val_dataloader": loader("val", "DefaultSampler"),
        "test_dataloader": loader("test", "DefaultSampler"),
        "val_evaluator": {"type": "Accuracy", "topk": (1,)},
        "test_evaluator": {"type": "Accuracy", "topk": (1,)},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9}, **optimizing},
        "param_scheduler": {"type": "PolyLR", "by_epoch": False, "end": 14},
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 14, "val_interval": interval},
        "custom_hooks": [
            {"type": "EMAHook", "momentum": 0.2},
            *[{"type": "EarlyStoppingHook", "monitor": "top1", "patience": patience, "min_delta": 1000.0}] * bool(patience),
        ],
    }


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 9), ("val", 4), ("test", 6)):
        for index in range(count):
            for name, level in (("dark", 90), ("light", 150)):
                file = tmp_path / "data" / split / name / f"{index}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(level - 80, level + 80, (32, 32, 3), dtype=np.uint8)).save(file)
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("sampler", "interval", "last", "went_on", "options"),
    [
        ("InfiniteSampler", 4, 11, 11, {}),
        ("InfiniteSampler", 4, 12, 12, {}),  # after a validation
        ("DefaultSampler", 100, 12, 12, {}),  # without one, in the third pass over the data
        ("InfiniteSampler", 1, 9, 8, {"accumulative_counts": 2}),  # in the middle of gradients that are put together
        ("InfiniteSampler", 2, 11, 11, {"patience": 5}),  # which ends with iteration 12, as nothing was better than at first
    ],
)
def test_killed_between_iterations(openmmlab, root, tmp_path, monkeypatch, sampler, interval, last, went_on, options):
    from harness.engine import trial as module
    from harness.engine.hooks import StopOnNonFiniteLoss

    entry = Benchmark(id="b", family="openmmlab", **parts(config(root, sampler, interval, **options)))
    files = discover()
    trial = compose(load_catalog().methods["non-local-embedded-gaussian"], task(entry), 0, "data", files)
    load_plugins(set(trial.plugins), files)

    def run(name):
        (tmp_path / name).mkdir(exist_ok=True)
        outcome = module.run_trial(trial, data=root, work_dir=tmp_path / name)
        told = {key: points.tolist() for key, points in outcome.curves.items()}
        return outcome.metrics, told, {key: values.tolist() for key, values in outcome.per_sample.items()}, outcome.diagnostics

    class Power(Exception):
        pass

    class Cut(StopOnNonFiniteLoss):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter == last:
                raise Power

    whole = run("whole")
    assert len(whole[1]["val/top1"]) == ({4: 4, 100: 1, 1: 14, 2: 6}[interval])
    assert "val/top1" in whole[1] and "qk_distance_after_epoch" in whole[3]
    monkeypatch.setattr(module, "Checkpoint", functools.partial(module.Checkpoint, every=0.0))
    with monkeypatch.context() as patch, pytest.raises(Power):
        patch.setattr(module, "StopOnNonFiniteLoss", Cut)
        run("cut")
    assert run("cut") == whole
    assert f"resumed after iteration {went_on}" in "".join(file.read_text() for file in (tmp_path / "cut").rglob("*.log"))
    assert not (tmp_path / "cut" / "checkpoint.pth").exists()
