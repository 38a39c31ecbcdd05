"""Parameters that a plugin, or a method, has trained apart from the rest."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from harness import slots
from harness.catalog import Method, load_catalog
from harness.catalog.plugins import discover, load_plugins, owners
from harness.errors import UsageError
from harness.marks import TRAINING, mark, multipliers
from harness.plugin_tools.contract import subjects

METHODS = {m.id: m for m in load_catalog().methods.values() if m.state != "planned"}
FILES = owners(discover())


def marked_options(method: Method) -> list[str]:
    """The plugins of a method that have the options, as their sources say."""
    plugins = {filling.plugin for filling in method.slots.values()}
    return [plugin for plugin in plugins if set(TRAINING) <= set(FILES[plugin].parameters.get(plugin, ()))]


WITH = sorted(name for name, method in METHODS.items() if marked_options(method))
ATTENTION = {m.id for m in METHODS.values() if m.kind in ("attention pooling", "pairwise attention", "query-independent attention")}


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.value = nn.Linear(4, 4), nn.Linear(4, 4)
        mark(self, "query", lr_mult=0.5, decay_mult=0)


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.last = Two(), nn.Linear(4, 1)
        mark(self, "inner.query.weight", lr_mult=0.5)

    def forward(self, x):
        return self.last(self.inner.value(self.inner.query(x)))


def optimizer(model: nn.Module, **config: object):
    from mmengine.optim import build_optim_wrapper

    import harness.benchmarks.parts.marked  # noqa: F401  registers the constructor

    return build_optim_wrapper(model, {"type": "OptimWrapper", "constructor": "MarkedParameters", "optimizer": config}).optimizer


def test_marks_multiply_and_are_copied_with_their_module():
    for model in (Outer(), copy.deepcopy(Outer())):
        inner = model.inner
        assert multipliers(model) == {inner.query.weight: (0.25, 0.0), inner.query.bias: (0.5, 0.0)}


@pytest.mark.parametrize(
    ("names", "multiples", "reason"),
    [
        (["key"], {"lr_mult": 0.1}, "no parameter 'key' to be marked; it has query.weight"),
        (["query"], {"lr_mult": -1}, "lr_mult is -1"),
        (["query"], {"decay_mult": "0"}, "decay_mult is '0'"),
        (["query"], {"lr_mult": float("inf")}, "from 0 on"),
        (["query"], {"lr_mult": True}, "from 0 on"),
    ],
)
def test_a_mark_without_sense_is_refused(names, multiples, reason):
    with pytest.raises(ValueError, match=reason):
        mark(Two(), *names, **multiples)


def step(model: nn.Module, optimizer) -> dict[str, torch.Tensor]:
    """How far each parameter moves in one step of a gradient of ones."""
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for value in model.parameters():
        value.grad = torch.ones_like(value)
    optimizer.step()
    return {name: before[name] - value.detach() for name, value in model.named_parameters()}


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_a_step_is_as_long_as_the_mark_says(kind, openmmlab):
    moved = step(model := Outer(), optimizer(model, type=kind, lr=0.1, weight_decay=0.0))
    for name, share in (("inner.query.weight", 0.25), ("inner.query.bias", 0.5), ("inner.value.weight", 1.0), ("last.bias", 1.0)):
        torch.testing.assert_close(moved[name], torch.full_like(moved[name], 0.1 * share))


def test_weight_decay_is_taken_from_what_is_marked_alone(openmmlab):
    model = Outer()
    found = {
        value: group["weight_decay"]
        for group in optimizer(model, type="SGD", lr=0.1, weight_decay=0.2).param_groups
        for value in group["params"]
    }
    assert {name: found[value] for name, value in model.named_parameters() if found[value] != 0.2} == {
        "inner.query.weight": 0.0,
        "inner.query.bias": 0.0,
    }


def test_a_schedule_holds_for_all_in_proportion(openmmlab):
    """Also where it ends at a rate of its own, or a hook sets one."""
    from mmengine.optim import CosineAnnealingLR

    model = Outer()
    built = optimizer(model, type="SGD", lr=0.1)
    schedule = CosineAnnealingLR(built, T_max=4, eta_min=0.05)
    for _ in range(6):
        moved = step(model, built)
        schedule.step()
        assert (moved["inner.query.weight"] / moved["last.weight"].mean()).mean().item() == pytest.approx(0.25, rel=1e-4)
    for group in built.param_groups:
        group["lr"] = 0.3
    assert step(model, built)["inner.query.bias"].mean().item() == pytest.approx(0.15, rel=1e-4)


def test_an_interrupted_training_keeps_its_marks(openmmlab):
    first, model = Outer(), Outer()
    resumed = optimizer(model, type="AdamW", lr=0.1, weight_decay=0.0)
    resumed.load_state_dict(optimizer(first, type="AdamW", lr=0.1, weight_decay=0.0).state_dict())
    assert step(model, resumed)["inner.query.weight"].mean().item() == pytest.approx(0.025)


def test_without_a_mark_the_optimizer_is_mmengines(openmmlab):
    model = nn.Linear(4, 4)
    (group,) = optimizer(model, type="AdamW", lr=0.1).param_groups
    assert group["params"] == [*model.parameters()] and "lr_mult" not in group


def test_every_attention_has_the_options():
    without = {"non-local-gaussian": "it compares the positions themselves"}
    assert set(WITH) >= ATTENTION - set(without)


@pytest.mark.parametrize("name", sorted({plugin for m in WITH for plugin in marked_options(METHODS[m])}))
def test_the_options_reach_the_projections(name, openmmlab):
    """Of the plugin as it is: what is named is there, and no value or output is among it."""
    (subject,) = subjects(name)
    module = subject.build()
    before = {label for label, parameter in module.named_parameters() if parameter in multipliers(module)}
    built = slots.build(name, {"lr_mult": 0.01, "decay_mult": 0.5}, **subject.probe.context(subject.channels))
    own = {parameter for label, parameter in built.named_parameters() if label in before}
    marked = {parameter: values for parameter, values in multipliers(built).items() if parameter not in own}
    assert marked and set(marked.values()) == {(0.01, 0.5)}
    others = [parameter for parameter in built.parameters() if parameter not in marked]
    assert others or name == "otk", "a plugin whose parameters are all queries and keys"


def test_the_options_are_refused_where_nothing_is_compared(openmmlab):
    load_plugins({"non-local", "gap"}, discover())
    with pytest.raises(UsageError, match="no query and key projections, so lr_mult would change nothing"):
        slots.build("non-local", {"mode": "gaussian", "lr_mult": 0.1}, channels=16)
    with pytest.raises(UsageError, match="lr_mult"):
        slots.build("gap", {"lr_mult": 0.1}, channels=16)
