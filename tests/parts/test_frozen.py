"""A frozen backbone's features: computed once, never mixed up, the same in any batch."""

from __future__ import annotations

import os
import pickle

import pytest
import torch
from torch import nn

from harness.benchmarks.parts.frozen import FrozenBackbone


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
    again = frozen()
    assert all(torch.equal(a, b) for a, b in zip(again(images), together, strict=True))
    assert again.backbone.calls == 0, "a second trial reads the features from disk"


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


@pytest.mark.parametrize("damage", ["torn", "empty", "garbage", "a bit", "another file of torch", "a program", "a folder"])
def test_a_damaged_file_is_computed_again(images, damage, tmp_path):
    backbone = frozen()
    whole = backbone(images)[0]
    files = [*backbone._folder.rglob("*.features")]
    assert files
    torch.save([torch.zeros(1)], tmp_path / "other")
    for file in files:
        content = bytearray(file.read_bytes())
        if damage == "a bit":
            content[len(content) // 2] ^= 1
        if damage == "a folder":
            file.unlink()
            file.mkdir()
            continue
        file.write_bytes(
            {
                "torn": content[:50],
                "empty": b"",
                "garbage": os.urandom(300),
                "a bit": content,
                "another file of torch": (tmp_path / "other").read_bytes(),
                "a program": pickle.dumps(pytest.fail),
            }[damage]
        )
    assert torch.equal(frozen()(images)[0], whole)


def test_it_stays_in_eval_mode_and_has_no_gradient(images):
    backbone = frozen().train()
    assert not backbone.training and not backbone.backbone.training
    assert not any(out.requires_grad for out in backbone(images))
    backbone.caching = False
    assert torch.allclose(backbone(images)[0], frozen()(images)[0], atol=1e-6)


def test_a_nearly_full_disk_is_left_to_the_results(images, monkeypatch):
    monkeypatch.setattr("harness.paths.ROOM", 1 << 62)
    backbone = frozen()
    nn.init.ones_(backbone.backbone.convs[0].weight)  # a backbone no other test has cached
    features = backbone(images)
    assert not [*backbone._folder.rglob("*.features")] and backbone.backbone.calls == 4
    assert all(torch.equal(a, b) for a, b in zip(backbone(images), features, strict=True)) and backbone.backbone.calls == 4
