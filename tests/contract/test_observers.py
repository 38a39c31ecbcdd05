"""Whoever observes reads a value that is offered as it is, and one that is offered as a function."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import slots
from harness.slots import AttentionState, Position

SHAPE = (2, 4, 6, 8)
"""Queries and keys of 6 positions."""


class Offers(nn.Module):
    """Offers everything that has a name with a fixed meaning."""

    def __init__(self, lazy: bool):
        super().__init__()
        self.lazy = lazy

    def forward(self, x: Tensor) -> Tensor:
        q, k = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
        values = {"q": q, "k": k, "attention": (q @ k.mT).softmax(-1), "map": q.mean((1, 3)).softmax(-1).view(2, 1, 2, 3)}
        slots.observe(self, **{name: (lambda value=value: value) if self.lazy else value for name, value in values.items()})
        return x


def diagnostics(module: nn.Module, x: Tensor) -> Any:
    from harness.diagnostics.collector import Collector

    collector = Collector(module)
    with slots.observing(collector):
        module(x)
    assert {name.split("/")[0] for name in collector.means.values()} >= {"qk_distance", "purity", "entropy", "unary_entropy"}
    return collector.means.values()


def score_maps(module: nn.Module, x: Tensor) -> Any:
    from harness.benchmarks.object_localization.mm.maps import MapRecorder

    recorder = MapRecorder((2, 3))
    with slots.observing(recorder):
        module(x)
    assert len(recorder.maps) == 2
    return [*(maps for maps, _ in recorder.maps), recorder.keys]


def states(module: nn.Module, x: Tensor) -> Any:
    from harness.benchmarks.camera_localization.mm.transformer import Branch

    branch = Branch.__new__(Branch)
    nn.Module.__init__(branch)
    branch.project, branch.queries, branch.decoder = nn.Identity(), nn.Embedding(3, 4), nn.ModuleList()
    branch.encoder_norm = branch.decoder_norm = nn.Identity()
    branch.encoder, branch.position = [lambda tokens, _: module(tokens)], lambda *_: Position()
    found: list[AttentionState] = []
    branch(x, found)
    assert len(found) == 1
    return [found[0].q, found[0].k]


@pytest.mark.parametrize("observer", [diagnostics, score_maps, states])
def test_lazy_or_not_is_the_same(openmmlab, observer):
    x = torch.zeros(2, 4, 2, 3)
    torch.testing.assert_close(observer(Offers(lazy=True), x), observer(Offers(lazy=False), x))


def test_value_of():
    tensor = torch.ones(3)
    assert slots.value_of(tensor) is slots.value_of(lambda: tensor) is tensor
    assert slots.value_of("bases") == "bases" and slots.value_of(None) is None
