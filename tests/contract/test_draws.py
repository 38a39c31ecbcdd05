"""What a plugin draws or seeds in its constructor changes nothing around it."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from harness import slots
from harness.benchmarks import task
from harness.catalog import Filling, load_catalog
from harness.catalog.plugins import discover, load_plugins


@pytest.fixture
def plugin():
    """``plugin(name, draw)`` registers a pooling whose constructor calls ``draw``; it is forgotten afterwards."""
    names = []

    def make(name: str, draw) -> None:
        def init(self, channels: int):
            nn.Module.__init__(self)
            draw()
            self.weight = nn.Parameter(torch.randn(channels))

        methods = {"__init__": init, "forward": lambda self, x: x.mean((2, 3)) * self.weight}
        slots.attention_method(name, slot="pooling")(type("P", (nn.Module,), methods))
        names.append(name)

    yield make
    for name in names:
        slots.registry().module_dict.pop(name)


def test_the_model_around_a_method_starts_alike_for_every_method(openmmlab, plugin):
    from mmengine.registry import MODELS, DefaultScope

    load_plugins({"gap", "simpool"}, discover())
    plugin("draws-much", lambda: (torch.randn(1000), np.random.rand(7), random.random()))
    plugin("seeds", lambda: (torch.manual_seed(0), np.random.seed(0), random.seed(0)))
    scenes = task(load_catalog().benchmarks["scenes-classification"])
    heads, own = {}, {}
    for name in ("gap", "simpool", "draws-much", "seeds"):
        for seed in (0, 1):
            torch.manual_seed(seed)
            config = scenes.config({"pooling": Filling(plugin=name)})
            DefaultScope.get_instance(f"draws-{name}-{seed}", scope_name=config["default_scope"])
            model = MODELS.build(config["model"])
            heads[name, seed] = model.head.fc.weight.detach()
            if name == "draws-much":
                own[seed] = model.neck.method.weight.detach()
    assert all(torch.equal(heads[name, seed], heads["gap", seed]) for name, seed in heads)
    assert not torch.equal(heads["gap", 0], heads["gap", 1]) and not torch.equal(own[0], own[1])


def test_two_plugins_in_a_row_do_not_start_alike(plugin):
    plugin("first", lambda: None)
    torch.manual_seed(0)
    one, two = (slots.build("first", {}, channels=8) for _ in range(2))
    assert not torch.equal(one.weight, two.weight)
    torch.manual_seed(0)
    assert torch.equal(slots.build("first", {}, channels=8).weight, one.weight)
