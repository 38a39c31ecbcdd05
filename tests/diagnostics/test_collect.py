"""Diagnostics of small models that offer what plugins offer."""

from __future__ import annotations

import csv
import math
import sys
from functools import partial
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from harness import diagnostics
from harness.analysis.diagnostics import in_order
from harness.diagnostics import maps
from harness.diagnostics.collect import diagnose, labels
from harness.diagnostics.first_epoch import FirstEpoch, ends
from harness.diagnostics.overlays import colour_of
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
    together, _ = diagnose(Model(unary=True), loader(5, labelled=True))
    monkeypatch.setattr("harness.diagnostics.collect._PIXELS", 1)
    alone, _ = diagnose(Model(unary=True), loader(5, labelled=True))
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
    pairwise, both = (diagnose(Model(unary), loader(4, labelled=True))[0] for unary in (False, True))
    assert both["unary_share"] > pairwise["unary_share"]
    assert both["entropy"] == pytest.approx(pairwise["entropy"]) and "unary_entropy" not in pairwise
    # without a unary map, the attention that the keys receive is laid over the boundaries
    assert pairwise["boundary_random"] == both["boundary_random"] and pairwise["boundary_mass"] != both["boundary_mass"]


def test_average_pooling_does_not_dilute_the_means():
    model = Model()
    alone, _ = diagnose(model, loader(4))
    model.pool = Average()
    both, _ = diagnose(model, loader(4))
    assert both["entropy"] == alone["entropy"] and "entropy/pool" not in both


class Offers(nn.Module):
    """Offers what it is given."""

    plugin_name = "offers"

    def __init__(self, maps=None, matrix=None, q=None, k=None, keys=None):
        super().__init__()
        offered = {"map": maps, "attention": matrix, "q": q, "k": q if k is None else k, "keys": keys}
        self.offered = {name: value for name, value in offered.items() if value is not None}

    def forward(self, x):
        observe(self, **self.offered)
        return x


class Reduced(Model):
    """The module sees the image at a lower resolution."""

    def __init__(self, size=None, **offered):
        super().__init__()
        self.layer, self.pool = Offers(**offered), nn.AdaptiveAvgPool2d(size) if size else nn.Identity()

    def forward(self, inputs, samples, mode):
        return self.layer(self.pool(inputs))


def labelled_loader(labels, size=(32, 32), ignore_index=255, count=2):
    sample = SimpleNamespace(gt_sem_seg=SimpleNamespace(data=labels))
    items = [{"inputs": torch.randn(3, *size, generator=torch.Generator().manual_seed(0)), "data_samples": sample} for _ in range(count)]

    class Dataset(list):
        pass

    dataset = Dataset(items)
    dataset.ignore_index = ignore_index
    return SimpleNamespace(dataset=dataset, collate_fn=lambda items: {key: [item[key] for item in items] for key in items[0]})


def test_the_datasets_ignore_index_marks_pixels_without_a_category():
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[..., 8:] = 11
    uniform = torch.full((2, 1, 16, 16), 1 / 16)
    found = {index: diagnose(Reduced(4, matrix=uniform), labelled_loader(labels, ignore_index=index))[0] for index in (255, 11)}
    # 11 a category: each query's own half and a border; 11 no category: only the left half asks, and there is no border
    assert found[255]["within_category_random"] == found[11]["within_category_random"] == 0.5
    assert found[255]["boundary_random"] > 0 == found[11]["boundary_random"]


def test_positions_lie_on_the_grid_of_the_modules_input_not_of_the_labels():
    """Labels of another aspect ratio than the network's input, half of them each category: a position sees its own half."""
    labels = torch.zeros(1, 100, 400, dtype=torch.long)
    labels[..., 200:] = 1
    left = (torch.arange(256) % 16 < 8).float()
    own_half = (left[:, None] == left).float() / 128
    matrix = own_half.expand(2, 1, 256, 256)
    for size in (16, None):  # from the module's input, and of tokens from that of the network
        model = Reduced(size, matrix=matrix)
        if size is None:
            model.pool = nn.Sequential(nn.AdaptiveAvgPool2d(16), nn.Flatten(2))
        found, _ = diagnose(model, labelled_loader(labels))
        assert (found["within_category_mass"], found["within_category_random"]) == (pytest.approx(1), pytest.approx(0.5))


def test_images_are_spread_evenly_over_the_test_set():
    class Counting(list):
        def __getitem__(self, index):
            seen.append(index)
            return super().__getitem__(index)

    seen: list[int] = []
    data = loader(100)
    data.dataset = Counting(data.dataset)
    diagnose(Model(), data, images=4)
    assert seen == [0, 33, 66, 99]
    seen.clear()
    diagnose(Model(), data)
    assert seen == [0, 99]


def test_bases_are_no_positions_however_many_they_are():
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[..., 4:] = 1
    matrix = torch.rand(2, 1, 16, 16).softmax(-1)
    among, _ = diagnose(Reduced(4, matrix=matrix), labelled_loader(labels))
    found, _ = diagnose(Reduced(4, matrix=matrix, keys="bases"), labelled_loader(labels))
    assert set(among) - set(found) == {
        f"{name}{layer}"
        for name in ("within_category_mass", "within_category_random", "boundary_mass", "boundary_random")
        for layer in ("", "/layer")
    }
    assert found["entropy"] == among["entropy"] and found["attended_keys"] == pytest.approx(16 * found["attended_share"])


def pictured(folder, model):
    diagnose(model, loader(2), pictures=folder)
    assert (folder / "attention-0.jpg").is_file() and (folder / "attention-1.jpg").is_file()
    return {name: torch.from_numpy(some) for name, some in maps.load(folder / maps.FILE)[0].maps.items()}


# kept in half precision, as shares of the largest
close = partial(torch.testing.assert_close, rtol=1e-3, atol=1e-6)


def test_a_key_that_is_no_position_is_drawn_where_it_is_attended_to(tmp_path):
    matrix = torch.rand(2, 3, 16, 5).softmax(-1)
    found = pictured(tmp_path, Reduced(4, matrix=matrix, keys="bases"))
    close(found["layer"], matrix[0].mean(0).T.unflatten(1, (4, 4)))


def test_a_pairwise_and_a_unary_map_are_both_drawn(tmp_path):
    matrix, unary = torch.rand(2, 1, 16, 16).softmax(-1), torch.rand(2, 1, 4, 4)
    found = pictured(tmp_path, Reduced(4, matrix=matrix, maps=unary))
    close(found["layer"], matrix[0].mean(1).unflatten(1, (4, 4)))
    close(found["layer (unary)"], unary[0])


def test_the_distance_of_unequally_many_queries_and_keys():
    q, k = torch.randn(2, 2, 16, 8), torch.randn(2, 2, 5, 8)
    found, _ = diagnose(Reduced(4, q=q, k=k), loader(2))
    assert found["qk_distance"] == pytest.approx(float((q.mean(2) - k.mean(2)).norm(dim=-1).mean()))
    assert not any(name.startswith("purity") for name in found)


def test_an_attention_matrix_that_is_too_large_is_not_formed_and_noted(monkeypatch):
    monkeypatch.setattr("harness.diagnostics.collector._LARGEST", 4 * 15**2)
    tokens = torch.randn(2, 1, 16, 4, generator=torch.Generator().manual_seed(0))
    images = labelled_loader(torch.zeros(1, 8, 8, dtype=torch.long))

    def matrix():
        raise AssertionError("formed")

    for queries in (tokens, None):  # known from queries and keys, else from the module's input
        spatial = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
        found, notes = diagnose(Reduced(4, maps=spatial, matrix=matrix, q=queries), images)
        assert notes == ["attention of layer not measured on images where its matrix exceeds 0 MiB"]
        assert ("qk_distance" in found) == (queries is not None)
        assert "unary_entropy" in found and not {"entropy", "map_cosine_distance", "attended_share"} & set(found)
    small, notes = diagnose(Reduced(4, matrix=torch.rand(2, 1, 3, 3), q=tokens[:, :, :3]), images)
    assert "entropy" in small and notes == []


def test_several_maps_are_measured_each_and_averaged():
    """Their mean is uniform: it would say nothing (optimal transport to several references)."""
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[..., 4:] = 1
    maps = torch.zeros(2, 2, 4, 4)
    maps[:, 0, :, :1] = 1 / 4
    maps[:, 1, :, 1:] = 1 / 12
    maps = maps * torch.tensor([0.5, 1.5]).view(1, 2, 1, 1)  # the mean over maps: 1/16 everywhere
    found, _ = diagnose(Reduced(4, maps=maps), labelled_loader(labels))
    assert found["entropy"] == pytest.approx((math.log(4) + math.log(12)) / 2)
    assert found["attended_share"] == pytest.approx((4 / 16 + 12 / 16) / 2)
    # border pixels: columns 1-6 of 16, 3/4 of the first and 3/4 of the second column of the map
    assert found["boundary_random"] == pytest.approx(6 / 16)
    assert found["boundary_mass"] == pytest.approx((3 / 4 + 1 / 3 * 3 / 4) / 2)


def test_three_pictures_at_most(tmp_path):
    diagnose(Model(), loader(5), images=5, pictures=tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [*(f"attention-{index}.jpg" for index in range(3)), "attention.npz"]


def test_predictions_beside_the_maps_are_not_measured_and_cost_no_diagnostics(tmp_path):
    alone, _ = diagnose(Model(), loader(4), pictures=tmp_path / "alone")
    seen = []

    def read(sample):
        seen.append(sample)
        return maps.Marks(text="true"), maps.Marks(text=f"predicted {len(seen)}")

    found, notes = diagnose(Model(), loader(4), images=4, pictures=tmp_path / "marked", marks=read)
    assert found == diagnose(Model(), loader(4), images=4)[0] and notes == [] and len(seen) == 3
    kept = maps.load(tmp_path / "marked" / maps.FILE)
    assert [(one.true.text, one.predicted.text) for one in kept] == [("true", f"predicted {number}") for number in (1, 2, 3)]
    again, notes = diagnose(Model(), loader(4), pictures=tmp_path / "failed", marks=lambda sample: 1 / 0)
    assert again == alone and notes == ["no pictures of predictions: ZeroDivisionError: division by zero"]
    assert [one.predicted for one in maps.load(tmp_path / "failed" / maps.FILE)] == [maps.Marks()] * 2


def test_without_maps_predictions_are_kept_and_drawn(tmp_path):
    def read(box):
        return lambda sample: (
            maps.Marks(text="a Käfer, 猫"),
            maps.Marks(boxes=box, scores=np.ones(len(box)), kinds=np.zeros(len(box), int)),
        )

    plain = Model()
    plain.layer = nn.Identity()
    assert diagnose(plain, loader(4), pictures=tmp_path) == ({}, []) and not [*tmp_path.iterdir()], "nobody reads its predictions"
    diagnose(plain, loader(4), pictures=tmp_path / "plain", marks=read(np.array([[0.25, 0.25, 0.75, 0.75]])))
    assert sorted(file.name for file in (tmp_path / "plain").iterdir()) == [maps.FILE, "prediction-0.jpg", "prediction-1.jpg"]
    (first, _) = maps.load(tmp_path / "plain" / maps.FILE)
    assert (
        not first.maps
        and not maps.over_images(tmp_path / "plain" / maps.FILE)
        and first.predicted.boxes.tolist() == [[0.25, 0.25, 0.75, 0.75]]
    )
    drawn = [np.asarray(Image.open(tmp_path / "plain" / f"prediction-{place}.jpg"), int) for place in range(2)]
    # 4 pixels a side, each 80 wide; a frame in the class's colour on the right side only, whose corner lies at a quarter
    colour = np.array(colour_of(0))
    near = [np.abs(one[16:336] - colour).max(2) < 60 for one in drawn]
    assert all(side[78:83, 324 + 78 : 324 + 100].any() and not side[70:90, 78:100].any() for side in near)
    diagnose(Model(), loader(4), pictures=tmp_path / "both", marks=read(np.zeros((0, 4))))
    assert maps.over_images(tmp_path / "both" / maps.FILE) and (tmp_path / "both" / "attention-1.jpg").is_file()


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
    looked = [row for row in rows if row["entropy"] != "nan"]
    assert (looked[0], looked[-1]) == (rows[0], rows[-1]) and 15 < len(looked) <= 20
    # all tokens are alike: every query attends to all 16 of them
    assert [float(row["entropy"]) for row in looked] == pytest.approx([math.log(16)] * len(looked), rel=1e-5)
    # heads: q = k, and q = -k = -(1 + index) in three channels
    assert ends(file) == {
        "qk_distance_at_start": pytest.approx(3**0.5, rel=1e-5),
        "qk_distance_after_epoch": pytest.approx(1000 * 3**0.5, rel=1e-5),
    }


def test_large_attention_is_not_formed_in_training(tmp_path, monkeypatch):
    """The first layers that fit are looked at, the same in each iteration."""
    monkeypatch.setattr("harness.diagnostics.first_epoch._LARGEST", 4 * 2 * 2 * 16 * 16)
    model = nn.ModuleDict({"one": Attention(False), "two": Attention(False)})
    hook = FirstEpoch(tmp_path / "first_epoch.csv")
    with observing(hook):
        for index in range(2):
            hook.before_train_iter(SimpleNamespace(model=model, train_dataloader=range(2), epoch=0), index)
            for layer in model.values():
                layer(torch.ones(2, 3, 4, 4))
        hook.after_train_epoch(SimpleNamespace(logger=None))
    rows = list(csv.DictReader(hook.file.open()))
    assert [(row["layer"], row["entropy"] == "nan") for row in rows] == 2 * [("one", False), ("two", True)]


def test_no_queries_no_curve(tmp_path):
    hook = FirstEpoch(tmp_path / "first_epoch.csv")
    runner = SimpleNamespace(model=nn.Identity(), train_dataloader=range(2), epoch=0)
    hook.before_train_iter(runner, 0)
    with observing(hook):
        observe(nn.Identity(), map=torch.ones(1, 1, 2, 2))
    hook.after_train_epoch(runner)
    assert not hook.file.exists() and ends(hook.file) == {}


def one_hot(*shape: int) -> torch.Tensor:
    """Distributions over the last axis with all weight at one place, up to a thousandth."""
    weights = torch.full(shape, 0.001 / (shape[-1] - 1))
    weights[..., 0] = 0.999
    return weights


SPREAD = torch.full((1, 1, 16, 16), 1 / 16)


@pytest.mark.parametrize(
    ("offered", "collapsed"),
    [
        ({"maps": one_hot(1, 1, 16).view(1, 1, 4, 4)}, True),
        ({"matrix": one_hot(1, 1, 16, 16)}, True),
        ({"matrix": one_hot(1, 1, 16, 4), "keys": "pooled regions"}, True),
        ({"matrix": SPREAD, "maps": one_hot(1, 1, 16).view(1, 1, 4, 4)}, True),
        ({"matrix": SPREAD}, False),
        ({"matrix": one_hot(1, 1, 16, 4), "keys": "classes"}, False),
        ({"maps": torch.ones(1, 1, 1, 1)}, False),
    ],
)
def test_attention_to_one_position_is_called_collapsed(offered, collapsed):
    """In the diagnostics of its layer, in a note and as a label; to attend to one class is no fault."""
    model = Model()
    model.layer = Offers(**offered)
    found, notes = diagnose(model, loader(1), images=1)
    assert ("collapsed/layer" in found) is collapsed
    assert labels(found) == ({"attention": "collapsed"} if collapsed else {})
    assert [note for note in notes if "of layer has collapsed: entropy" in note] == notes and bool(notes) is collapsed


def test_a_measure_is_a_line_of_the_table(monkeypatch):
    monkeypatch.setitem(diagnostics.MEASURES, "largest", diagnostics.Measure(("attention",), "extra:largest"))
    monkeypatch.setitem(sys.modules, "harness.diagnostics.extra", SimpleNamespace(largest=lambda attention: attention.amax((-1, -2))))
    mixed = diagnostics.Measure(("q", "attention"), "extra:both")
    monkeypatch.setitem(diagnostics.MEASURES, "both", mixed)
    monkeypatch.setattr(sys.modules["harness.diagnostics.extra"], "both", lambda q, attention: q.new_full((len(q),), 3.0), raising=False)
    found, _ = diagnose(Model(), loader(2), images=2)
    heads = [found["largest/layer/head0"], found["largest/layer/head1"]]
    assert found["largest"] == pytest.approx(sum(heads) / 2) and 0 < min(heads) < max(heads) < 1
    assert found["both"] == 3
    assert in_order(["boundary_random", "largest", "entropy"]) == ["entropy", "boundary_random", "largest"]


def test_the_functions_of_the_table_exist():
    for name, measure in diagnostics.MEASURES.items():
        assert bool(measure.of) == bool(measure.function), name
        if measure.of:
            module, function = measure.function.split(":")
            assert callable(getattr(import_module(f"harness.diagnostics.{module}"), function))
