"""Detectors that find a set of objects: what they offer is what they used, and which images they see."""

from __future__ import annotations

import proofs
import pytest
import torch
from cases import CASES, subject
from proofs import PROOFS
from proofs.detectors import build, images
from torch import nn

from harness import slots

DETECTORS = list(proofs.of("detectors"))


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    for name in DETECTORS:
        subject(name)


def plugin(name: str) -> str:
    return CASES[name][1].plugin


def test_layers_follow_from_their_maps():
    """Of DETR: what each attention returns is its weights times the values. Of its reading layers the mean over heads is offered."""
    from harness_plugins.detectors.parts import heads

    module = build("detr", **PROOFS["detr"].sized)
    offered, returned = {}, {}

    def kept(layer, _args, given, output):
        returned[id(layer)] = (layer, given, output[0])

    for layer in module.modules():
        if isinstance(layer, nn.MultiheadAttention):
            layer.register_forward_hook(kept, with_kwargs=True)

    def observer(layer, values):
        offered[id(layer)] = {name: slots.value_of(value) for name, value in values.items()}

    with slots.observing(observer):
        module(*images())
    assert len(offered) == 4
    for key, values in offered.items():
        layer, given, output = returned[key]
        if "attention" in values:
            mixed = values["attention"] @ heads(layer, given["value"], 2)
            torch.testing.assert_close(layer.out_proj(mixed.transpose(1, 2).flatten(2)).transpose(0, 1), output)
        else:
            _, average = layer(**{name: given[name] for name in ("query", "key", "value", "key_padding_mask")})
            torch.testing.assert_close(values["map"].flatten(2), average)


@pytest.mark.parametrize("name", DETECTORS)
def test_padding_and_other_images_do_not_matter(name):
    """What lies in the padding counts for nothing, and an image's objects are the same alone."""
    module, (maps, padding) = build(plugin(name), **PROOFS[name].sized), images()
    expected = module(maps, padding)
    for number in range(2):
        alone = module(tuple(x[number : number + 1] for x in maps), padding[number : number + 1])
        for mine, exact in zip(alone, expected, strict=True):
            torch.testing.assert_close(mine, exact[:, number : number + 1])
    assert ((expected[1] > 0) & (expected[1] < 1)).all()
    if plugin(name) == "detr":
        hidden = torch.nn.functional.interpolate(padding[:, None].double(), size=maps[1].shape[-2:]) > 0
        other = module((maps[0], torch.where(hidden, 7.0, maps[1])), padding)
        for mine, exact in zip(other, expected, strict=True):
            torch.testing.assert_close(mine, exact)


@pytest.mark.parametrize("name", DETECTORS)
def test_order_of_the_queries_does_not_matter(name):
    module, (maps, padding) = build(plugin(name), **PROOFS[name].sized), images()
    expected = module(maps, padding)
    order = torch.randperm(len(module.queries.weight), generator=torch.Generator().manual_seed(2))
    module.queries.weight.data = module.queries.weight.data[order]
    for mine, exact in zip(module(maps, padding), expected, strict=True):
        torch.testing.assert_close(mine, exact[:, :, order])
