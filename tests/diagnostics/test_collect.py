"""Diagnostics of small models that offer what plugins offer."""

from __future__ import annotations

import csv
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from harness.diagnostics.collect import diagnose
from harness.diagnostics.first_epoch import FirstEpoch, ends
from harness.slots import observe, observing


class Attention(nn.Module):
    """Two heads over the positions of a map, and a unary map beside them."""

    plugin_name = "two-heads"

    def __init__(self, unary: bool):
        super().__init__()
        self.unary = unary

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2)
        q, k = torch.stack([tokens, -tokens], dim=1), torch.stack([tokens, tokens], dim=1)
        offered = {"map": x.mean(1, keepdim=True).flatten(2).softmax(-1).view(len(x), 1, *x.shape[2:])} if self.unary else {}
        observe(self, q=lambda: q, k=k, attention=lambda: (q @ k.mT).softmax(-1), **offered)
        return x


class Average(nn.Module):
    """Pools, and says so."""

    plugin_name = "average"

    def forward(self, x):
        observe(self, map=torch.full((len(x), 1, *x.shape[2:]), 1 / x[0, 0].numel()))
        return x.mean((2, 3))


class Model(nn.Module):
    def __init__(self, unary=False):
        super().__init__()
        self.layer = Attention(unary)
        self.pool = nn.Identity()

    def data_preprocessor(self, batch, training):
        return {"inputs": torch.stack(batch["inputs"]), "data_samples": batch["data_samples"]}

    def forward(self, inputs, samples, mode):
        return self.pool(self.layer(inputs))


def loader(count, labelled=False):
    generator = torch.Generator().manual_seed(0)
    images = [torch.randn(3, 4, 4, generator=generator) for _ in range(count)]
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[..., 4:] = 1
    sample = SimpleNamespace(gt_sem_seg=SimpleNamespace(data=labels)) if labelled else SimpleNamespace()
    dataset = [{"inputs": image, "data_samples": sample} for image in images]
    return SimpleNamespace(dataset=dataset, collate_fn=lambda items: {key: [item[key] for item in items] for key in items[0]})


def test_a_batch_tells_what_its_images_tell_alone(monkeypatch):
    together = diagnose(Model(unary=True), loader(5, labelled=True))
    monkeypatch.setattr("harness.diagnostics.collect._PIXELS", 1)
    alone = diagnose(Model(unary=True), loader(5, labelled=True))
    assert together == pytest.approx(alone, rel=1e-4)
    assert (
        together["entropy/layer"]
        == together["entropy"]
        == pytest.approx((together["entropy/layer/head0"] + together["entropy/layer/head1"]) / 2)
    )
    assert together["entropy_uniform"] == pytest.approx(math.log(16))
    assert together["pairwise_share"] + together["unary_share"] == pytest.approx(1)
    assert together["within_category_random"] == pytest.approx(0.5) and 0 < together["boundary_random"] < 1


def test_the_unary_map_counts_towards_the_unary_share():
    pairwise, both = (diagnose(Model(unary), loader(4, labelled=True)) for unary in (False, True))
    assert both["unary_share"] > pairwise["unary_share"]
    assert both["entropy"] == pytest.approx(pairwise["entropy"]) and "unary_entropy" not in pairwise
    # without a unary map, the attention that the keys receive is laid over the boundaries
    assert pairwise["boundary_random"] == both["boundary_random"] and pairwise["boundary_mass"] != both["boundary_mass"]


def test_average_pooling_does_not_dilute_the_means():
    model = Model()
    alone = diagnose(model, loader(4))
    model.pool = Average()
    both = diagnose(model, loader(4))
    assert both["entropy"] == alone["entropy"] and "entropy/pool" not in both


def test_pictures_of_the_first_images(tmp_path):
    diagnose(Model(), loader(5), images=5, pictures=tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"attention-{index}.jpg" for index in range(3)]


def test_the_first_epoch_leaves_a_thinned_curve(tmp_path):
    model, file = Model(), tmp_path / "artifacts" / "first_epoch.csv"
    runner = SimpleNamespace(model=model, train_dataloader=range(1000), epoch=0)
    hook = FirstEpoch(file)
    state = torch.random.get_rng_state()
    with observing(hook):
        for index in range(1000):
            hook.before_train_iter(runner, index)
            model((1 + index) * torch.ones(2, 3, 4, 4, requires_grad=True), None, "loss")
        hook.after_train_epoch(runner)
        assert torch.equal(torch.random.get_rng_state(), state)
        whole = file.read_text()
        runner.epoch = 1
        hook.before_train_iter(runner, 0)
        model(torch.ones(2, 3, 4, 4), None, "loss")
        hook.after_train_epoch(runner)
    rows = list(csv.DictReader(file.open()))
    assert file.read_text() == whole and [path.name for path in file.parent.iterdir()] == [file.name]
    assert len(rows) <= 200 and {row["layer"] for row in rows} == {"layer"}
    assert (rows[0]["iteration"], rows[-1]["iteration"]) == ("1", "1000")
    # heads: q = k, and q = -k = -(1 + index) in three channels
    assert ends(file) == {
        "qk_distance_at_start": pytest.approx(3**0.5, rel=1e-5),
        "qk_distance_after_epoch": pytest.approx(1000 * 3**0.5, rel=1e-5),
    }


def test_no_queries_no_curve(tmp_path):
    hook = FirstEpoch(tmp_path / "first_epoch.csv")
    runner = SimpleNamespace(model=nn.Identity(), train_dataloader=range(2), epoch=0)
    hook.before_train_iter(runner, 0)
    with observing(hook):
        observe(nn.Identity(), map=torch.ones(1, 1, 2, 2))
    hook.after_train_epoch(runner)
    assert not hook.file.exists() and ends(hook.file) == {}
