"""Whole trials of pre-training, tiny: every strategy and host, resumed or not, and one that collapses."""

from __future__ import annotations

import functools
import math

import pytest

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose import Selection, plan
from harness.errors import TrialError, UsageError

BENCHMARK = "scenes-pretraining"
SMALL = (
    "data.train=36",
    "data.test=12",
    "data.classes=2",
    "model.width=12",
    "model.depth=2",
    "model.heads=2",
    "model.feedforward=16",
    "model.patch=8",
    "model.views.locals=1",
    "model.views.local_size=16",
    "model.distillation.hidden=16",
    "model.distillation.bottleneck=8",
    "model.distillation.prototypes=16",
    "schedule.epochs=3",
    "schedule.batch_size=18",
)
RECONSTRUCTION = ("model.views.locals=0", "method.low=0.5", "method.high=0.5", "method.masking_prob=1.0")
STRATEGIES = ("attmask-high", "attmask-hint", "attmask-low", "random-masking", "random-block-wise-masking")


@pytest.fixture
def prepared(openmmlab):
    """``prepared(*overrides)`` -> (trial, dataset)."""
    files = discover()

    def prepare(*overrides: str, method: str = "attmask-high"):
        planned = plan(Selection(methods=(method,), benchmarks=(BENCHMARK,), overrides=(*SMALL, *overrides)), load_catalog(), files)
        load_plugins(set(planned.trials[0].plugins), files)
        return planned.trials[0], data.ensure(planned.tasks[BENCHMARK], None), planned.tasks[BENCHMARK]

    return prepare


def run(trial, folder, work_dir):
    from harness.engine.trial import run_trial

    work_dir.mkdir(exist_ok=True)
    return run_trial(trial, data=folder, work_dir=work_dir)


@pytest.mark.parametrize("method", STRATEGIES)
def test_every_strategy_hides_what_it_says(prepared, tmp_path, method):
    trial, folder, task = prepared("method.masking_prob=1.0", "method.low=0.25", "method.high=0.25", "schedule.epochs=1", method=method)
    outcome = run(trial, folder, tmp_path / "trial")
    assert outcome.metrics.keys() == {metric.name for metric in task.metrics}
    assert all(math.isfinite(value) for value in outcome.metrics.values())
    # a quarter of 16 tokens; hints are too few to reveal one, and blocks may cover less
    masked = outcome.metrics["masked"]
    assert masked == pytest.approx(25) if method != "random-block-wise-masking" else 0 < masked <= 25
    assert outcome.curves["loss"].shape == (1, 2) and 0 < outcome.metrics["rank"] <= 12


@pytest.mark.parametrize("host", ["simmim", "mae"])
def test_every_host_learns(prepared, tmp_path, host):
    trial, folder, _ = prepared(f"model.host={host}", *RECONSTRUCTION, "schedule.epochs=8", "schedule.lr=0.01")
    outcome = run(trial, folder, tmp_path / "trial")
    losses = outcome.curves["loss"][:, 1]
    assert losses[-1] < losses[0] and outcome.metrics["masked"] == pytest.approx(50)


def test_the_network_before_training_is_the_same_for_all(prepared, tmp_path):
    found = []
    for number, overrides in enumerate((("schedule.epochs=1",), ("schedule.epochs=2", "schedule.lr=0.02"))):
        trial, folder, _ = prepared(*overrides, method=STRATEGIES[number])
        outcome = run(trial, folder, tmp_path / str(number))
        found.append({name: outcome.per_sample[name].tolist() for name in ("untrained_knn20", "untrained_linear")})
    assert found[0] == found[1]


def scores(outcome):
    arrays = {**outcome.per_sample, **{f"curve {name}": points for name, points in outcome.curves.items()}}
    # as text, where what is not there is like itself
    return repr((outcome.metrics, {name: values.tolist() for name, values in arrays.items()}))


@pytest.mark.parametrize(
    ("balance", "method"), [("sinkhorn", "attmask-high"), ("centre", "attmask-high"), ("sinkhorn", "simpool"), ("centre", "slot-attention")]
)
def test_resumed_equals_uninterrupted(prepared, tmp_path, monkeypatch, balance, method):
    """Teacher, centres, views, masks, momentum, temperatures, frozen prototypes and weight decay go on where they stopped."""
    from harness.benchmarks.self_supervised.mm import distillation
    from harness.engine import trial as module
    from harness.engine.hooks import StopOnNonFiniteLoss

    class Power(Exception):
        pass

    class Cut(StopOnNonFiniteLoss):
        def before_train_epoch(self, runner):
            if runner.epoch == 2:
                raise Power

    changes = f"model.distillation.balance={balance}", "schedule.weight_decay_end=0.4", "schedule.epochs=4", "model.drop_path=0.2"
    trial, folder, _ = prepared(*changes, method=method)
    monkeypatch.setattr(distillation, "_TOLD", -1.0)  # so few epochs may end anywhere, with another torch
    whole = run(trial, folder, tmp_path / "whole")
    monkeypatch.setattr(module, "Checkpoint", functools.partial(module.Checkpoint, every=0.0))
    with monkeypatch.context() as patch:
        patch.setattr(module, "StopOnNonFiniteLoss", Cut)
        with pytest.raises(Power):
            run(trial, folder, tmp_path / "cut")
    assert (tmp_path / "cut" / "checkpoint.pth").is_file()
    assert scores(run(trial, folder, tmp_path / "cut")) == scores(whole)


def test_the_alarm_rings(prepared, tmp_path):
    """A teacher so warm that its outputs are all alike; no number is recorded."""
    hot = ("model.distillation.temperature=[50, 50]", "model.distillation.balance=centre", "schedule.epochs=2")
    trial, folder, _ = prepared(*hot)
    with pytest.raises(TrialError, match="collapsed: they are all alike in each image"):
        run(trial, folder, tmp_path / "trial")


POOLINGS = ("simpool", "gap", "vit-cls", "max-pool")


@pytest.mark.parametrize("method", POOLINGS)
def test_poolings_take_the_place_of_the_class_token(prepared, tmp_path, method):
    trial, folder, task = prepared("schedule.epochs=2", method=method)
    assert trial.config["model"]["masking"] == {"plugin": "random-masking", "params": {"masking_prob": 0.0}}, "DINO: nothing is masked"
    outcome = run(trial, folder, tmp_path / "trial")
    assert outcome.metrics.keys() == {metric.name for metric in task.metrics}
    assert outcome.metrics["masked"] == 0
    even = outcome.metrics["attention_on_object"] == pytest.approx(100 * _area(folder, task), rel=1e-12)
    assert even == (method in ("gap", "max-pool")), "these look everywhere alike, or do not say where"


def _area(folder, task):
    from harness.benchmarks.self_supervised.floor import floor

    return floor(folder, task.data, task.format.listing(folder, task.data))["attention_on_object"] / 100


def test_a_pooling_sees_patches_before_the_last_normalization(openmmlab):
    """As in billpsomas/simpool: no class token, N positions, the pooled vector through the network's last LayerNorm; by hand."""
    import torch
    from torch.nn import functional as F

    from harness.benchmarks.self_supervised.mm.encoder import Encoder
    from harness.catalog.plugins import discover, load_plugins

    load_plugins({"simpool"}, discover())
    arch = {"embed_dims": 12, "num_layers": 2, "num_heads": 2, "feedforward_channels": 16}
    backbone = {"type": "mmpretrain.VisionTransformer", "arch": arch, "img_size": 32, "patch_size": 8, "out_type": "raw"}
    torch.manual_seed(0)
    plain = Encoder(backbone, masked=True)
    torch.manual_seed(0)
    pooled = Encoder(backbone, masked=True, pooling={"plugin": "simpool", "params": {}})
    for parameter in pooled.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    count = sum(p.numel() for p in pooled.parameters()) - sum(p.numel() for p in plain.parameters())
    assert count == 2 * 12**2 + 2 * 12 - 2 * 12, "SimPool's, less the class token and its position"
    assert pooled.pooling.method.gamma == 1.25
    images, vit = torch.randn(3, 3, 32, 16), pooled.backbone
    tokens, attention = pooled.looked(images)
    x, grid = vit.patch_embed(images)
    x = x + vit.resize_pos_embed(vit.pos_embed, vit.patch_resolution, grid, mode="bicubic", num_extra_tokens=0)
    for layer in vit.layers:
        x = layer(x)
    sim = pooled.pooling.method
    seen = F.layer_norm(x, (12,), sim.norm.weight, sim.norm.bias, 1e-6)
    weights = ((x.mean(1, keepdim=True) @ sim.query.weight.T) @ (seen @ sim.key.weight.T).transpose(1, 2) * 12**-0.5).softmax(-1)
    low = seen.amin((1, 2), keepdim=True)
    vector = (weights @ (seen - low + 1e-6) ** 1.25) ** (1 / 1.25)
    torch.testing.assert_close(attention, weights)
    torch.testing.assert_close(tokens, vit.ln1(torch.cat([vector, x], dim=1)), rtol=1e-4, atol=1e-5)
    # what is masked is hidden from the pooling, too
    mask = torch.zeros(3, 8, dtype=torch.bool)
    mask[:, 2] = True
    other = images.clone()
    other[:, :, 8:16, :8] = 9.0  # the patch of row 1, column 0
    torch.testing.assert_close(pooled(images, mask), pooled(other, mask))
    assert not torch.allclose(pooled(images), pooled(other))


def test_the_teachers_pooling_follows(prepared):
    from mmengine.registry import MODELS

    trial, *_ = prepared(method="simpool")
    model = MODELS.build(trial.config["model"])
    own, other = (network.encoder.pooling.method.query.weight for network in (model.teacher, model.student))
    assert own.equal(other) and not own.requires_grad and other.requires_grad
    other.data.add_(1.0)
    before = own.clone()
    model.at(0, 10, 0, 1)
    model.stepped()
    assert own.sub(before).allclose((1 - model.momentum) * (other - before), atol=1e-6) and not own.equal(before)


def test_a_map_says_shares_whatever_it_sums_to(openmmlab):
    """HOW's map are lengths of vectors: an image of large values weighs no more than another one."""
    import torch

    from harness.benchmarks.self_supervised.mm.encoder import Encoder
    from harness.catalog.plugins import discover, load_plugins

    load_plugins({"how"}, discover())
    arch = {"embed_dims": 12, "num_layers": 1, "num_heads": 2, "feedforward_channels": 16}
    backbone = {"type": "mmpretrain.VisionTransformer", "arch": arch, "img_size": 32, "patch_size": 8, "out_type": "raw"}
    _, attention = Encoder(backbone, masked=True, pooling={"plugin": "how", "params": {}}).looked(torch.randn(3, 3, 32, 32))
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(3, 1))
    assert attention.std(dim=-1).gt(0).all()


def test_a_map_on_another_grid_is_resized(openmmlab):
    """A pooling may look at fewer places than there are patches; what it says of them is where the image's token looks."""
    import torch

    from harness import slots
    from harness.benchmarks.self_supervised.mm.encoder import Encoder

    class Coarse(torch.nn.Module):
        def __init__(self, channels: int):
            super().__init__()

        def forward(self, x):
            slots.observe(self, map=lambda: x.mean(dim=1, keepdim=True)[..., ::2, ::2])
            return x.mean(dim=(2, 3))

    name = "test-coarse"
    slots.attention_method(name, slot="pooling")(Coarse)
    try:
        arch = {"embed_dims": 12, "num_layers": 1, "num_heads": 2, "feedforward_channels": 16}
        backbone = {"type": "mmpretrain.VisionTransformer", "arch": arch, "img_size": 32, "patch_size": 8, "out_type": "raw"}
        tokens, attention = Encoder(backbone, masked=True, pooling={"plugin": name, "params": {}}).looked(torch.randn(3, 3, 32, 16))
    finally:
        slots.registry().module_dict.pop(name)
    assert tokens.shape == (3, 1 + 8, 12) and attention.shape == (3, 1, 8)
    assert attention[:, 0, 0].ne(attention[:, 0, 6]).all(), "the first row's and the last's"


def test_blocks_are_no_poolings_here(prepared):
    with pytest.raises(UsageError, match="fits no slot of 'scenes-pretraining', which offers masking, pooling"):
        prepared(method="se")


def test_poolings_are_no_part_of_reconstruction(prepared):
    with pytest.raises(UsageError, match="fits no slot of 'scenes-pretraining', which offers masking"):
        prepared("model.host=simmim", "model.views.locals=0", method="gap")
