"""One real trial: the same numbers every time, resumed or not, and an honest end where there is no result."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace

import pytest
import torch

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose import Selection, plan
from harness.errors import TrialError

SMALL = ("data.train=48", "data.test=24", "data.size=32", "schedule.epochs=4", "schedule.batch_size=16")


@pytest.fixture
def prepared(openmmlab, tmp_path):
    """``prepared(*overrides)`` -> (trial, dataset) of classification scenes."""
    files = discover()

    def prepare(*overrides: str, method: str = "gap"):
        chosen = Selection(methods=(method,), benchmarks=("scenes-classification",), overrides=(*SMALL, *overrides))
        planned = plan(chosen, load_catalog(), files)
        load_plugins(set(planned.trials[0].plugins), files)
        return planned.trials[0], data.ensure(planned.tasks["scenes-classification"], None)

    return prepare


def run(trial, folder, work_dir, **options):
    from harness.engine.trial import run_trial

    work_dir.mkdir(exist_ok=True)
    return run_trial(trial, data=folder, work_dir=work_dir, **options)


def scores(outcome):
    arrays = {**outcome.per_sample, **{f"curve {name}": points for name, points in outcome.curves.items()}}
    return outcome.metrics, {name: values.tolist() for name, values in arrays.items()}


def cut(trial, folder, work_dir, monkeypatch, **options):
    """Run a trial that ends after two epochs, as if the power had failed; its checkpoint stays."""
    from harness.engine import trial as module
    from harness.engine.hooks import StopOnNonFiniteLoss

    class Power(Exception):
        pass

    class Cut(StopOnNonFiniteLoss):
        def before_train_epoch(self, runner):
            if runner.epoch == 2:
                raise Power

    monkeypatch.setattr(module, "Checkpoint", functools.partial(module.Checkpoint, every=0.0))
    with monkeypatch.context() as patch:
        patch.setattr(module, "StopOnNonFiniteLoss", Cut)
        with pytest.raises(Power):
            run(trial, folder, work_dir, **options)
    assert (work_dir / "checkpoint.pth").is_file()


def test_resumed_equals_uninterrupted(prepared, tmp_path, monkeypatch):
    from harness.engine import trial as module

    trial, folder = prepared("model.backbone=resnet-narrow", method="non-local-embedded-gaussian")
    whole = run(trial, folder, tmp_path / "whole")
    curve = (tmp_path / "whole" / "artifacts" / "first_epoch.csv").read_text()
    assert len(curve.splitlines()) == 4 and "qk_distance_after_epoch" in whole.diagnostics
    with monkeypatch.context() as patch:
        patch.setattr(module, "observing", contextlib.nullcontext)  # the first epoch is not watched
        assert scores(run(trial, folder, tmp_path / "again")) == scores(whole)

    assert whole.curves.keys() == {"loss", "val/top1", "val/top5"}
    assert [points[:, 0].tolist() for points in whole.curves.values()] == [[1, 2, 3, 4]] * 3

    cut(trial, folder, tmp_path / "cut", monkeypatch)
    resumed = run(trial, folder, tmp_path / "cut")
    assert "resumed after epoch 2" in "".join(f.read_text() for f in (tmp_path / "cut").rglob("*.log"))
    assert scores(resumed) == scores(whole)
    assert (tmp_path / "cut" / "artifacts" / "first_epoch.csv").read_text() == curve
    assert not (tmp_path / "cut" / "checkpoint.pth").exists()


def test_averaged_weights_and_draws_of_workers_resume(prepared, tmp_path, monkeypatch):
    trial, folder = prepared("schedule.ema=0.2", "data.augment=crop-flip")
    whole = run(trial, folder, tmp_path / "whole", loader_workers=2)
    cut(trial, folder, tmp_path / "cut", monkeypatch, loader_workers=1)
    assert scores(run(trial, folder, tmp_path / "cut", loader_workers=2)) == scores(whole)


@pytest.mark.parametrize("method", ["gather-excite", "slot-attention"])
def test_looking_at_the_validation_changes_nothing(prepared, tmp_path, method):
    """Also of methods that draw in every pass, or change buffers in training."""
    trial, folder = prepared(method=method)
    seen = run(trial, folder, tmp_path / "seen")
    for name in ("val_dataloader", "val_evaluator", "val_cfg"):
        del trial.config[name]
    blind = run(trial, folder, tmp_path / "blind")
    assert seen.curves.keys() > blind.curves.keys() == {"loss"}
    assert scores(replace(seen, curves={"loss": seen.curves["loss"]})) == scores(blind)


def test_a_curve_says_what_a_trial_that_ends_there_would(prepared, tmp_path):
    """The validation of the last epoch is what the test would say of the same pictures."""
    trial, folder = prepared("schedule.epochs=12")
    outcome = run(trial, folder, tmp_path / "val")
    assert outcome.curves["loss"][:, 0].tolist() == [*range(1, 13)]
    assert outcome.curves["val/top1"][:, 0].tolist() == [2, 4, 6, 8, 10, 12]
    trial.config["test_dataloader"] = trial.config["val_dataloader"]
    assert run(trial, folder, tmp_path / "test").metrics["top1"] == outcome.curves["val/top1"][-1, 1]


def test_a_trial_that_helps_to_choose_never_sees_the_test(prepared, tmp_path, monkeypatch):
    """It learns what a final trial learns, and is judged by what that would be judged by."""
    from harness.engine import trial as module

    trial, folder = prepared("schedule.epochs=3")
    final = run(trial, folder, tmp_path / "final")

    def refuse(*_, **__):
        raise AssertionError("tested")

    for name in ("diagnose", "cost"):
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(module.TrialRunner, "test", refuse)
    monkeypatch.setattr(module.TrialRunner, "build_test_loop", refuse)
    helper = run(replace(trial, purpose="tuning"), folder, tmp_path / "helper")
    assert (helper.metrics, helper.per_sample, helper.diagnostics, helper.cost) == ({}, {}, {}, module.Cost())
    assert helper.curves["val/top1"].tolist() == final.curves["val/top1"][-1:].tolist()
    assert helper.curves["loss"].tolist() == final.curves["loss"].tolist()


def test_without_a_validation_split_a_trial_has_the_loss_alone(prepared, tmp_path):
    outcome = run(*prepared("data.val=0", "schedule.epochs=1"), tmp_path / "none")
    assert outcome.curves.keys() == {"loss"} and outcome.curves["loss"].shape == (1, 2)


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)], ids=["memory ran out after an epoch", "killed while batches were halved"])
def test_a_checkpoint_of_other_batches_is_not_resumed(prepared, tmp_path, monkeypatch, first, second):
    trial, folder = prepared()
    whole = run(trial, folder, tmp_path / "whole", batch_divisor=second)
    cut(trial, folder, tmp_path / "cut", monkeypatch, batch_divisor=first)
    again = run(trial, folder, tmp_path / "cut", batch_divisor=second)
    assert scores(again) == scores(whole)
    assert [note for note in again.notes if "memory" in note] == [note for note in whole.notes if "memory" in note]


def test_a_torn_checkpoint_costs_time_only(prepared, tmp_path):
    trial, folder = prepared("schedule.epochs=1")
    whole = run(trial, folder, tmp_path / "whole")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "checkpoint.pth").write_bytes(b"PK\x03\x04 torn")
    assert scores(run(trial, folder, tmp_path / "torn")) == scores(whole)


def test_a_diverging_loss_ends_the_trial_with_its_reason(prepared, tmp_path):
    trial, folder = prepared("schedule.lr=1e30", "schedule.optimizer=SGD", "schedule.warmup=0")
    with pytest.raises(TrialError, match=r"the loss is (nan|inf) in epoch"):
        run(trial, folder, tmp_path / "nan")


def test_smaller_batches_are_noted(prepared, tmp_path):
    trial, folder = prepared("schedule.epochs=1")
    outcome = run(trial, folder, tmp_path / "small", batch_divisor=2)
    assert outcome.notes and "out of memory" in outcome.notes[0]
    assert outcome.cost.params and outcome.cost.flops and outcome.cost.latency_ms


def test_the_memory_of_a_trial_is_the_same_each_time(prepared, tmp_path):
    import torch

    trial, folder = prepared("schedule.epochs=1")
    first = run(trial, folder, tmp_path / "first").cost
    held = torch.ones(1 << 24)  # a process of another size, and with garbage in it
    held = [held, held * 2]
    second = run(trial, folder, tmp_path / "second").cost
    assert (first.peak_memory_mb, first.train_memory_mb) == (second.peak_memory_mb, second.train_memory_mb)
    parameters = 4 * first.params / 2**20
    assert parameters < first.peak_memory_mb < 2 * parameters < 4 * parameters < first.train_memory_mb


def test_a_last_batch_of_one_is_left_out(prepared, tmp_path):
    trial, folder = prepared("data.train=33", "schedule.epochs=1", method="gather-excite")
    outcome = run(trial, folder, tmp_path / "left")
    assert outcome.metrics["top1"] >= 0
    assert "[1][2/2]" in "".join(f.read_text() for f in (tmp_path / "left").rglob("*.log"))


def test_batches_of_one_image_are_explained_where_they_cannot_be_normalized(prepared, tmp_path):
    trial, folder = prepared("schedule.epochs=1", "schedule.batch_size=1", "data.size=16", method="gather-excite")
    with pytest.raises(TrialError, match=r"a batch of one image has a single value per channel.*schedule\.batch_size to 2 or more"):
        run(trial, folder, tmp_path / "one")


def test_the_weights_of_a_trial_are_noted(prepared, tmp_path):
    import torch
    from mmengine.registry import MODELS

    from harness.benchmarks.backbones import features
    from harness.benchmarks.options import ModelOptions

    registered = ModelOptions(**load_catalog().benchmarks["scenes-classification"].model)
    state = MODELS.build(features(registered).config).state_dict()
    torch.save({"state_dict": {f"backbone.{name}": value for name, value in state.items()}}, tmp_path / "mine.pth")
    trial, folder = prepared("schedule.epochs=1", f"model.weights.file={tmp_path}/mine.pth")
    (tmp_path / "run").mkdir()
    outcome = run(trial, folder, tmp_path / "run")
    assert outcome.notes[0].startswith("weights mine.pth: ")
    assert "tensors loaded by name under 'state_dict.backbone'; 0 missing, 0 unexpected" in outcome.notes[0]
    assert outcome.notes[0] in "".join(f.read_text() for f in (tmp_path / "run").rglob("*.log"))


def test_trials_that_begin_in_the_same_second_have_a_log_each(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda *_: "20260101_000000")
    for name in ("one", "two"):
        run(*prepared("schedule.epochs=1"), tmp_path / name)
    assert all("Epoch(test)" in "".join(f.read_text() for f in (tmp_path / name).rglob("*.log")) for name in ("one", "two"))


def test_a_method_can_hold_its_queries_and_keys(prepared, tmp_path, monkeypatch):
    """With a rate of 0 they end as they started, whatever the number of epochs, and the rest learns."""
    from harness.engine import trial as module

    def trained(*overrides: str) -> dict[str, torch.Tensor]:
        models = []
        with monkeypatch.context() as patch:
            patch.setattr(module, "diagnose", lambda model, *_rest, **_more: models.append(model) or ({}, []))
            run(*prepared(*overrides, method="simpool"), tmp_path / overrides[0])
        return models[0].neck.state_dict()

    one, two = (trained(f"schedule.epochs={epochs}", "method.lr_mult=0") for epochs in (1, 2))
    for name, value in one.items():
        assert torch.equal(value, two[name]) == (".query." in name or ".key." in name), name


def test_the_config_beside_a_trial_is_python_that_says_the_same(prepared, tmp_path):
    from mmengine.config import Config

    from harness.compose.bare import bare_config
    from harness.engine.runner import PlainConfig

    trial, folder = prepared()
    config = PlainConfig(bare_config(trial, folder, tmp_path))
    file = tmp_path / "config.py"
    config.dump(file)
    assert Config.fromfile(file).to_dict() == config.to_dict() == Config(bare_config(trial, folder, tmp_path)).to_dict()
