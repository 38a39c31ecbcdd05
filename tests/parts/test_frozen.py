"""A frozen backbone's features: computed once, never mixed up, the same in any batch."""

from __future__ import annotations

import os
import pickle

import pytest
import torch
from torch import nn

from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.features import Store, room


class Levels(nn.Module):
    """Two maps, of which a config chooses some: same weights, same printed structure."""

    def __init__(self, levels):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, stride=2)])
        self.levels = levels
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        first = self.convs[0](x)
        return tuple([first, self.convs[1](first)][level] for level in self.levels)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def images():
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def frozen(levels=(0, 1)) -> FrozenBackbone:
    torch.manual_seed(0)
    return FrozenBackbone(Levels(levels), f"levels {levels}")


def test_features_do_not_depend_on_the_batch_and_are_computed_once(images):
    backbone = frozen()
    together = backbone(images)
    assert backbone.backbone.calls == 4
    alone = backbone(images[2:3])
    assert backbone.backbone.calls == 4
    for many, one in zip(together, alone, strict=True):
        assert torch.equal(many[2:3], one)
    backbone.flush()
    again = frozen()
    assert all(torch.equal(a, b) for a, b in zip(again(images), together, strict=True))
    assert again.backbone.calls == 0, "a second trial reads the features from disk"


def test_a_batch_travels_to_the_host_at_once(images, monkeypatch):
    """A GPU waits for each journey, and what an image is known by is made of its bytes on the host."""
    backbone = frozen()
    backbone(images)
    journeys, plain = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self, *rest: journeys.append(self.shape) or plain(self, *rest))
    backbone(images)
    assert journeys == [images.shape]


def test_another_choice_of_levels_is_another_backbone(images):
    both, last = frozen((0, 1))(images), frozen((1,))(images)
    assert len(both) == 2 and len(last) == 1
    assert torch.equal(both[1], last[0])


def test_other_weights_are_another_backbone(images):
    one = frozen()
    before = one(images)[0]
    two = frozen()
    nn.init.zeros_(two.backbone.convs[0].weight)
    assert not torch.equal(two(images)[0], before)


DAMAGE = {
    "torn": lambda content: content[:50],
    "half": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "garbage": lambda content: os.urandom(300),
    "a bit of a row": lambda content: content[:-70] + bytes([content[-70] ^ 1]) + content[-69:],
    "a bit of the head": lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
    "a program": lambda content: pickle.dumps(pytest.fail),
}


@pytest.mark.parametrize("damage", [*DAMAGE, "a folder"])
def test_a_damaged_file_is_computed_again(images, damage):
    backbone = frozen()
    whole = backbone(images)
    backbone.flush()
    (file,) = room.root().glob("*/*.rows")
    content = file.read_bytes()
    if damage == "a folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(DAMAGE[damage](content))
    again = frozen()
    assert all(torch.equal(a, b) for a, b in zip(again(images), whole, strict=True))
    assert again.backbone.calls
    again.flush()
    third = frozen()
    assert all(torch.equal(a, b) for a, b in zip(third(images), whole, strict=True)) and not third.backbone.calls


def test_two_processes_that_compute_the_same_keep_it_once(images):
    one, two = frozen(), frozen()
    one(images[:3]), two(images[1:])
    one.flush(), two.flush()
    (folder,) = room.root().iterdir()
    kept = Store(folder)
    assert len(kept) == 4 and sum(len(Store.rows_of(file)) for file in folder.glob("*.rows")) == 4


def test_what_was_used_longest_ago_makes_room(images, monkeypatch):
    made = []
    for number in range(3):
        backbone = frozen((0,))
        nn.init.constant_(backbone.backbone.convs[0].weight, number)
        backbone(images)
        backbone.flush()
        made.append(backbone.store(images.device).folder)
        (file,) = made[-1].glob("*.rows")
        os.utime(file, (number, number))
    size = room.used() // 3
    nn.init.constant_(backbone.backbone.convs[0].weight, 0)
    old = FrozenBackbone(backbone.backbone, "levels (0,)")
    old(images)  # which makes the first the one that was used last
    monkeypatch.setenv(room.LIMIT, f"{2.5 * size / 1e9:.9f}")
    more = frozen((1,))
    more(images)
    more.flush()
    assert [folder.is_dir() for folder in made] == [True, False, True] or room.used() <= 2.5 * size
    assert made[0].is_dir() and not made[1].is_dir()
    monkeypatch.setenv(room.LIMIT, "0")
    last = frozen((1, 0))
    last(images)
    last.flush()
    assert room.used() == 0, "nothing fits, and nothing is written"
    calls = last.backbone.calls
    last(images)
    assert last.backbone.calls == calls, "what cannot be kept is remembered"


def test_it_stays_in_eval_mode_and_has_no_gradient(images):
    backbone = frozen().train()
    assert not backbone.training and not backbone.backbone.training
    assert not any(out.requires_grad for out in backbone(images))
    backbone.caching = False
    assert torch.allclose(backbone(images)[0], frozen()(images)[0], atol=1e-6)


def test_autocast_does_not_change_what_is_kept(images):
    with torch.autocast("cpu", torch.bfloat16):
        kept = frozen()(images)
    assert all(torch.equal(a, b) and a.dtype == torch.float32 for a, b in zip(kept, frozen()(images), strict=True))


def test_numbers_stand_for_images(images):
    backbone = frozen()
    whole = backbone(images)
    names = [*backbone._new]
    assert backbone.known(backbone.find(name, images.device) for name in names) == 0
    for some, all_ in zip(backbone(torch.tensor([3, 0, 3])), whole, strict=True):
        assert torch.equal(some, all_[[3, 0, 3]])


@pytest.mark.parametrize("rows", ["alike", "of two sizes", "not dense", "too many"])
def test_features_in_one_piece_are_those_of_each(images, rows, monkeypatch):
    backbone = frozen()
    each = [list(levels) for levels in zip(*backbone(images), strict=True)]
    others = [[2 * level for level in levels] for levels in each]
    if rows == "of two sizes":
        each[1][0] = each[1][0][:, :-1]
    if rows == "not dense":
        each = [[level.transpose(1, 2) for level in levels] for levels in each]
    if rows == "too many":
        monkeypatch.setattr("harness.benchmarks.parts.frozen._TOGETHER", sum(level.nbytes for levels in each for level in levels) - 1)
    assert backbone.known(others) == 0
    assert backbone.known(iter(each), together=True) == 4
    assert backbone.known(others) == 8
    assert len(backbone._together) == (4 if rows == "alike" else 0)
    for batch in ([6, 4, 6, 7], [6], [0, 3, 1], [11, 8], [4, 7]):
        asked = [(others + each + others)[number] for number in batch]
        found = backbone(torch.tensor(batch))
        assert len(found) == 2
        for level, expected in zip(found, zip(*asked, strict=True), strict=True):
            assert torch.equal(level, torch.stack(expected)) and level.stride() == torch.stack(expected).stride()
    with pytest.raises((IndexError, RuntimeError)):
        backbone(torch.tensor([4, 99]))


def test_a_nearly_full_disk_is_left_to_the_results(images, monkeypatch):
    monkeypatch.setattr("harness.paths.ROOM", 1 << 62)
    backbone = frozen()
    nn.init.ones_(backbone.backbone.convs[0].weight)  # a backbone no other test has cached
    features = backbone(images)
    backbone.flush()
    assert not room.used() and backbone.backbone.calls == 4
    assert all(torch.equal(a, b) for a, b in zip(backbone(images), features, strict=True)) and backbone.backbone.calls == 4


class Listed:
    """A dataset of a trial: as many images as it has names, each found in ``pixels``."""

    data_root, serialize_data = "/data", False

    def __init__(self, pixels, names):
        self.pixels, self.names = pixels, names
        self.data_list = [{"img_path": f"/data/{name}"} for name in names]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        return {"inputs": self.pixels[self.names[index]], "data_samples": None}


def looked_up(dataset):
    """The first feature map of each of its samples, as a trial of its own finds them."""
    from types import SimpleNamespace

    from harness.engine.lookup import Lookup

    backbone = frozen()
    model = nn.Module()
    model.backbone = backbone
    model.data_preprocessor = lambda batch, _: {"inputs": torch.stack([one["inputs"] for one in batch])}
    trial = SimpleNamespace(
        benchmark="mine", dataset="fingerprint", config={"model": {"model": {}}, "train_dataloader": {"dataset": {"type": "Listed"}}}
    )
    made = SimpleNamespace(dataset=dataset, collate_fn=list, batch_sampler=[[*range(len(dataset))]])
    lookup = Lookup(trial, model)
    found = lookup.prepared(dataset, made.collate_fn, "train")
    features = [lookup._features(dataset, list, index, name)[0] for index, name in enumerate(found.images)]
    backbone.flush()
    return features, backbone


def test_a_reader_that_lists_otherwise_finds_its_own_images(openmmlab, images):
    """The same dataset and options, and another order: the number of a sample is another image."""
    pixels = dict(zip("abcd", images, strict=True))
    one, _ = looked_up(Listed(pixels, "abcd"))
    other, backbone = looked_up(Listed(pixels, "dcba"))
    assert all(torch.equal(a, b) for a, b in zip(one, reversed(other), strict=True))
    assert backbone.backbone.calls == 0, "its images were looked at, and their features were there"


def test_an_image_that_is_decoded_otherwise_takes_no_other_ones_place(openmmlab, images):
    """Rows are gone, and the remembered names are those of other pixels."""
    pixels = dict(zip("abcd", images, strict=True))
    one, _ = looked_up(Listed(pixels, "abcd"))
    room.shrink(0)
    brighter, _ = looked_up(Listed({name: value + 1 for name, value in pixels.items()}, "abcd"))
    assert not any(torch.equal(a, b) for a, b in zip(one, brighter, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(one, frozen()(images)[0], strict=True)), "found by their pixels, they are their own"
