"""The attention map under ``torch.compile``: also of what was compiled before anyone observed it."""

from __future__ import annotations

import pytest
import torch
from cases import run, subject
from proofs import PROOFS
from proofs.proof import D
from test_maps import MAPS, built, observe
from torch import nn
from torch.utils.checkpoint import checkpoint

from harness import slots


@pytest.fixture(scope="module", autouse=True)
def _toolboxes(openmmlab):
    """All plugins can be imported."""


@pytest.mark.parametrize("name", MAPS)
def test_map_of_a_module_that_is_compiled_before_it_is_observed(name):
    """The compiled module answers an observer that comes later, and none when that has left."""
    module, inputs = built(name)
    _, expected = observe(module, inputs)
    torch.compiler.reset()
    compiled = torch.compile(module, backend="aot_eager")
    plain = run(compiled, inputs)
    watched, offers = observe(compiled, inputs)
    again = run(compiled, inputs)
    torch.compiler.reset()
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(plain, watched, again, strict=True))
    assert len(offers) == len(expected)
    for offer, wanted in zip(offers, expected, strict=True):
        assert offer.keys() == wanted.keys()
        for key, value in wanted.items():
            torch.testing.assert_close(offer[key], value)


@pytest.mark.parametrize("name", ["dnl-add-disentangled-key", "ocnet", "encoder-layer"])
def test_map_of_a_compiled_and_checkpointed_module(name):
    module, inputs = built(name)
    _, expected = observe(module, inputs)
    torch.compiler.reset()
    compiled = torch.compile(lambda *values: checkpoint(module, *values, use_reentrant=False), backend="aot_eager")
    run(compiled, inputs)
    _, offers = observe(compiled, inputs)
    torch.compiler.reset()
    for key, value in expected[0].items():
        torch.testing.assert_close(offers[0][key], value)


@pytest.mark.slow
def test_diagnostics_of_a_compiled_model():
    """The harness's own observer, which computes measures of the maps, reads the same from a compiled model."""
    from harness.diagnostics.collect import Collector

    block, (x,) = built("dnl-add-disentangled-key")
    model = nn.Sequential(nn.Conv2d(D, D, 1), block)
    torch.compiler.reset()
    measured = []
    for call in (model, torch.compile(model, backend="aot_eager")):
        collector = Collector(model)
        with torch.no_grad(), slots.observing(collector):
            call(x)
        measured.append(collector.means.values())
    torch.compiler.reset()
    assert measured[0] and measured[0] == pytest.approx(measured[1], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ocnet", "gc-block", "non-local-embedded-gaussian"])
def test_map_from_within_a_model_of_openmmlab(name):
    """A segmentor of mmseg with a checkpointed backbone: plain, in half precision, and compiled before it is observed."""
    from mmengine.registry import MODELS, DefaultScope

    case = subject(name, D)
    backbone = {"type": "mmseg.ResNet", "depth": 18, "strides": (1, 2, 1, 1), "with_cp": True, "norm_cfg": {"type": "BN"}}
    head = {"type": "ContextHead", "plugin": case.plugin, "params": case.params, "level_channels": [512], "in_channels": 512}
    head |= {"in_index": 3, "channels": D, "num_classes": 3, "norm_cfg": {"type": "BN"}}
    DefaultScope.get_instance("maps", scope_name="mmseg")
    model = MODELS.build({"type": "mmseg.EncoderDecoder", "backbone": backbone, "decode_head": head}).eval()
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    _, (expected,) = observe(model, (x,))
    with torch.autocast("cpu", torch.bfloat16):
        _, (half,) = observe(model, (x,))
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager")
    run(compiled, (x,))
    _, (late,) = observe(compiled, (x,))
    torch.compiler.reset()
    assert expected.keys() == half.keys() == late.keys() == PROOFS[name].offers.keys()
    for key, value in expected.items():
        torch.testing.assert_close(late[key], value)
        torch.testing.assert_close(half[key].float(), value, rtol=0.1, atol=0.05)
