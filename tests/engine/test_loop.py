"""Epochs on kept features: a step of theirs is mmengine's, bit by bit."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")


def _losses(kind, loss):
    """What a model may return, from the losses of a batch (N,)."""
    return {
        "one number": {"loss": loss.mean()},
        "of each sample": {"loss": loss},
        "several": {"loss_a": loss.mean(), "loss_b": [loss.square(), loss.max()], "accuracy": loss.detach().mean()},
        "one with a name": {"loss_cls": loss.mean()},
        "with what is told": {"loss": loss.mean(), "accuracy": loss.detach().max()},
    }[kind]


@pytest.mark.parametrize("kind", ["one number", "of each sample", "several", "one with a name", "with what is told"])
@pytest.mark.parametrize(
    "options", [{}, {"clip_grad": {"max_norm": 0.01}}, {"accumulative_counts": 3}], ids=["plain", "clipped", "accumulated"]
)
@pytest.mark.parametrize("own_step", [False, True])
def test_a_step_leaves_what_mmengines_leaves(kind, options, own_step, openmmlab):
    from mmengine.model import BaseModel
    from mmengine.optim import OptimWrapper

    from harness.engine.loop import step

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(7, 5)

        def forward(self, inputs, data_samples=None, mode="tensor"):
            return _losses(kind, torch.nn.functional.cross_entropy(self.layer(inputs), data_samples, reduction="none"))

    class OwnStep(Model):
        def train_step(self, data, optim_wrapper):
            return super().train_step(data | {"inputs": 2 * data["inputs"]}, optim_wrapper)

    torch.manual_seed(0)
    ours = OwnStep() if own_step else Model()
    theirs = copy.deepcopy(ours)
    batches = [{"inputs": torch.randn(11, 7), "data_samples": torch.randint(5, (11,))} for _ in range(8)]
    wrappers = [OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.1), **copy.deepcopy(options)) for model in (ours, theirs)]
    for model, wrapper in zip((ours, theirs), wrappers, strict=True):
        wrapper.initialize_count_status(model, 0, len(batches))
    before = theirs.layer.weight.clone()
    for batch in batches:
        told = step(ours, dict(batch), wrappers[0])
        expected = theirs.train_step(dict(batch), wrappers[1])
        assert told.keys() == expected.keys()
        assert all(torch.equal(told[name], expected[name]) for name in expected)
        assert torch.equal(ours.layer.weight, theirs.layer.weight)
        assert torch.equal(ours.layer.bias, theirs.layer.bias)
    assert wrappers[0]._inner_count == wrappers[1]._inner_count
    assert not torch.equal(before, theirs.layer.weight)
