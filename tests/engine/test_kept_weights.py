"""What a file of kept weights says of itself, and what is not tested with them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from harness.benchmarks import task
from harness.catalog import Benchmark
from harness.cli.kept import _unlike
from harness.engine import trained
from harness.engine.kept import FILE, Keep, about
from harness.engine.trained import _same_order
from harness.errors import UsageError


def test_classes_in_another_order_are_not_tested(tmp_path):
    """The network would be right where it says the wrong name, and the metrics would say nothing."""
    model = torch.nn.Linear(2, 2)
    dataset = SimpleNamespace(metainfo={"classes": ("pear", "apple")})
    keep = Keep(tmp_path)
    keep.before_test_epoch(SimpleNamespace(model=model, test_dataloader=SimpleNamespace(dataset=dataset)))
    trial = SimpleNamespace(digest="d", method="m", benchmark="b", version=1, family="detection", seed=0, overrides=(), config_file=None)
    keep.write(trial, {"AP": 1.0})
    kept = about(tmp_path / FILE)["classes"]
    assert kept == ["pear", "apple"]
    with pytest.raises(UsageError, match="pear, apple, and 'other' has apple, pear"):
        _same_order(kept, {"classes": ["apple", "pear"]}, "other")
    _same_order(kept, dataset.metainfo, "other")
    _same_order(kept, {"classes": ["plum", "apple"]}, "other")
    _same_order([], dataset.metainfo, "other")


CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
STL = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]


@pytest.mark.parametrize(("kept", "found", "name"), [(CIFAR, STL, "bird"), (["ant", "bee"], ["Bee", "cow"], "bee")])
def test_a_class_in_another_place_beside_others_is_not_tested(kept, found, name):
    """As many classes, of which only some are the same: birds were right where the network said automobile."""
    with pytest.raises(UsageError, match=f"'{name}' is number 2 of" if name == "bird" else f"'{name}' is number 1 of"):
        _same_order(kept, {"classes": found}, "other")


@pytest.mark.parametrize(
    ("kept", "found"),
    [(["0", "1", "2"], ["1", "2", "3"]), (["cat", "automobile"], ["Cat", "car"]), (["cell", "cell", "dirt"], ["dirt", "cell", "dust"])],
)
def test_classes_that_may_be_the_same_are_tested(kept, found):
    """Counted from 1, by a synonym, or where a name stands for two."""
    _same_order(kept, {"classes": found}, "other")


@pytest.mark.parametrize(("family", "fits"), [("classification", False), ("frozen-features", False), ("image-retrieval", True)])
def test_the_order_matters_where_the_network_tells_classes(monkeypatch, tmp_path, family, fits):
    """The trained head of frozen features, which ranks, does; a retrieval compares features alone."""
    dataset = SimpleNamespace(metainfo={"classes": STL})
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=dataset), register_hook=lambda hook: None, test=lambda: {"top1": 1})
    monkeypatch.setattr(trained, "loaded", lambda *args, **options: runner)
    monkeypatch.setattr(trained, "about", lambda file: {"classes": CIFAR})
    trial = SimpleNamespace(family=family, benchmark="other", seed=0)
    if fits:
        assert trained.evaluate(trial, tmp_path, data=tmp_path, device="cpu") == {"top1": 1.0}
    else:
        with pytest.raises(UsageError, match="'bird' is number 2"):
            trained.evaluate(trial, tmp_path, data=tmp_path, device="cpu")


def _entry(name: str, **model: object) -> Benchmark:
    data = {"format": "image-folder", "root": "x", "classes": 2}
    return Benchmark(id=name, family="classification", data=data, model={"backbone": "resnet-thin", **model})


def test_what_no_weight_tells_of_a_model_is_told_where_it_is_another_elsewhere():
    """Mean and strides of the other benchmark's entry count there, and its weights fit all the same."""
    grey = [127.5, 127.5, 127.5]
    trained = _entry("mine", mean=grey)
    assert _unlike(trained, task(_entry("other", mean=grey, label_smoothing=0.1)), ()) == ()
    assert _unlike(trained, task(_entry("other")), ()) == (f"model.mean is [123.675, 116.28, 103.53] on 'other' and {grey} on 'mine'",)
    assert _unlike(trained, task(_entry("other", mean=grey, backbone="resnet-thin-s8")), ()) == (
        "model.backbone is resnet-thin-s8 on 'other' and resnet-thin on 'mine'",
    )
    sets = ("model.backbone=resnet-thin", "method.gamma=2")  # of the trial, and now of both
    assert _unlike(_entry("mine", backbone="resnet-thin-s8"), task(_entry("other")), sets) == ()
