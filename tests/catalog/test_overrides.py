"""``--set``: which keys there are, and whose each is."""

from __future__ import annotations

import ast
import re

import pytest

from harness.benchmarks import task
from harness.catalog import Benchmark, load_catalog
from harness.catalog.parameters import taken
from harness.catalog.plugins import discover
from harness.compose.overrides import Overrides
from harness.compose.plan import Plan, Selection, plan
from harness.errors import UsageError


def test_what_was_changed_is_told_by_whose_it_is():
    benchmarks, methods = ("schedule.epochs=3", "model.method.width=1"), ("method.gamma=2", "method.attention_loss.schedule=cosine")
    overrides = Overrides.parse([*benchmarks, *methods])
    assert overrides.texts(of_benchmark=True, of_method=False) == benchmarks
    assert overrides.texts(of_benchmark=False, of_method=True) == methods
    assert overrides.texts(of_benchmark=True, of_method=True) == (*benchmarks, *methods)


@pytest.mark.parametrize(
    "key", ["colour", "colour.red", "colour.method", "colour.data.x", "data", "model", "schedule", "method", "method.a.b.c"]
)
def test_a_key_that_belongs_to_nothing_is_refused(key: str):
    with pytest.raises(UsageError, match=r"the key starts with data\., model\., schedule\. or method\."):
        Overrides.parse([f"{key}=1"])


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("schedule.epochs=3", "schedule.epochs=5"),
        ("schedule.epochs=3", " schedule.epochs =5"),
        ("model.backbone.depth=34", "model.backbone=resnet18"),
        ("method.pooling.gamma=2", "method.gamma=3"),
    ],
)
def test_what_a_later_one_undoes_is_refused(earlier: str, later: str):
    with pytest.raises(UsageError) as refused:
        Overrides.parse([earlier, "data.train=7", later]).refuse_undone()
    assert str(refused.value) == f"--set {earlier} and --set {later}: the second undoes the first. Leave one of them out."


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (["schedule.epochs=3", "schedule.epochs=3"], 1),
        (["method.gamma=3", "method.pooling.gamma=2"], 2),
        (["model.backbone={depth: 18}", "model.backbone.depth=34"], 2),
        (["schedule.lr=1", "schedule.lr_mult=2", "method.lr=3", "data.method.lr=4", "model.lr=1"], 5),
        (["method.pooling.gamma=3", "method.block.gamma=2"], 2),
    ],
)
def test_what_leaves_something_of_each_is_taken(texts: list[str], kept: int):
    overrides = Overrides.parse(texts)
    overrides.refuse_undone()
    assert len(overrides.items) == kept


def test_aliases_that_multiply_each_other_are_refused_at_once():
    """They stand for 2 x 9^24 values."""
    nested = ", ".join(["&a0 [1, 1]", *(f"&a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 25))])
    for value in (f"[{nested}]", "&a [*a]", "&a {b: *a}"):
        with pytest.raises(UsageError, match=r"is not YAML .*nested aliases"):
            Overrides.parse([f"data.x={value}"])
    assert Overrides.parse(["data.x=[&a [1, 2], *a]"]).items[0].value == [[1, 2], [1, 2]]


@pytest.mark.parametrize("value", ["{a: {lr: 2}, a: {lr: 3}}", "[{a: 1, 'a': 1}]", "{0: sky, '0': road}"])
def test_a_key_that_stands_twice_in_a_value_is_refused(value: str):
    with pytest.raises(UsageError, match=r"'[a0]' is given twice; delete one"):
        Overrides.parse([f"data.x={value}"])


@pytest.mark.parametrize(("value", "holds"), [("{a:2}", None), ("{a: {b:2}}", None), ("{a: 2}", 2), ("{'a:2': null}", 0), ("{a:2: }", 0)])
def test_a_colon_without_a_blank_is_told(value: str, holds: int | None):
    if holds is None:
        with pytest.raises(UsageError, match="Write a blank after the colon"):
            Overrides.parse([f"method.cfg={value}"])
    else:
        assert Overrides.parse([f"method.cfg={value}"]).items[0].value == ({"a": 2} if holds else {"a:2": None})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schedule.config.optim_wrapper.optimizer.lr=5.0", "has no effect. Write --set schedule.lr=5.0"),
        ("schedule.config.optim_wrapper={optimizer: {type: SGD, lr: 5.0}}", "Leave that out, and write --set schedule.lr=5.0"),
        ("data.config.train_dataloader.batch_size=1", "Write --set schedule.batch_size=1"),
        ("schedule.config.optim_wrapper.optimizer={type: Adam}", None),
        ("schedule.config.train_cfg.max_epochs=3", None),
        ("schedule.config.param_schedulr=null", "unknown part of a config 'param_schedulr'. Did you mean 'param_scheduler'"),
        ("data.config.val_evaluatr=null", "Did you mean 'val_evaluator'"),
    ],
)
def test_a_part_of_a_config_that_has_no_effect_is_refused(text: str, says: str | None):
    entry = Benchmark(id="b", family="openmmlab", data={"format": "config", "root": "r"})
    changes = Overrides.parse([text])
    if says is None:
        assert task(changes.of_benchmark(entry)).schedule
    else:
        with pytest.raises(UsageError, match=re.escape(says)):
            task(changes.of_benchmark(entry))


def test_another_plugin_is_another_method():
    with pytest.raises(UsageError, match="Run that method: -m METHOD"):
        Overrides.parse(["method.plugin=simpool"]).of_method(load_catalog().methods["gap"])


@pytest.mark.parametrize(
    ("default", "takes", "refuses"),
    [
        ("(3, 5)", ([1, 2], 3), ("(3,5)", None, {})),
        ("()", ([], [1]), ("3,5", 3)),
        ("['a']", (["b"],), ("a, b", 3)),
        ("{'a': 1}", ({"b": 2},), ([1], "a", 3)),
        ("2", (3, 2.5), ("3", True)),
    ],
)
def test_a_default_tells_the_kind_of_a_parameter(default: str, takes: tuple[object, ...], refuses: tuple[object, ...]):
    (node,) = ast.parse(f"class A:\n    def __init__(self, x={default}): pass").body
    accepted = (taken(node) or {})["x"]
    assert accepted is not None and all(map(accepted.takes, takes)) and not any(map(accepted.takes, refuses)), accepted


def test_a_key_reaches_as_deep_as_it_says_and_nothing_beside_it():
    entry = load_catalog().benchmarks["scenes-segmentation"]
    changed = Overrides.parse(["model.backbone.depth=34", "model.neck.new.width=8", "data.train=7"]).of_benchmark(entry)
    before, after = entry.model_dump(), changed.model_dump()
    assert after["model"].pop("neck") == {"new": {"width": 8}}
    assert (after["model"]["backbone"].pop("depth"), before["model"]["backbone"].pop("depth")) == (34, 18)
    assert (after["data"].pop("train"), before["data"].pop("train")) == (7, 240)
    assert after == before
    with pytest.raises(UsageError, match="'depth' is not a mapping"):
        Overrides.parse(["model.backbone.depth.more=1"]).of_benchmark(entry)


def planned(**selection) -> Plan:
    return plan(Selection(**selection), load_catalog(), discover())


def test_methods_and_benchmarks_replace_those_of_a_suite_each_on_its_own():
    catalog = load_catalog()
    suite = catalog.suites["quick"]

    def pairs(**selection) -> list[tuple[str, str]]:
        return list(dict.fromkeys((trial.benchmark, trial.method) for trial in planned(suite="quick", **selection).trials))

    whole = [(name, method) for name in suite.benchmarks for method in suite.methods_of(catalog.benchmarks[name])]
    assert sorted(pairs()) == sorted(whole)
    assert sorted(pairs(methods=("se",), benchmarks=("digits", "rooms"))) == [("digits", "se"), ("rooms", "se")]
    assert sorted(pairs(benchmarks=("digits",))) == sorted(pair for pair in whole if pair[0] == "digits")
    assert sorted(pairs(methods=("se",))) == sorted((name, "se") for name in suite.benchmarks)
    assert {trial.seed for trial in planned(suite="quick", benchmarks=("digits",)).trials} == set(range(suite.seeds))
    for half in ({"methods": ("gap",)}, {"benchmarks": ("digits",)}, {}):
        with pytest.raises(UsageError, match="say what to run"):
            planned(**half)


def test_a_trial_knows_the_code_of_every_plugin_that_it_builds():
    """Those that fill the slots which the method leaves open, too: a change of theirs is a change of the trial."""
    (block,) = planned(methods=("se",), benchmarks=("scenes-classification",)).trials
    (pool,) = planned(methods=("gem",), benchmarks=("scenes-classification",)).trials
    assert block.plugins.keys() == {"se", "gap"} and pool.plugins.keys() == {"gem"}


def test_what_is_wrong_with_weights_is_told_with_the_benchmark():
    overrides = ("model.backbone=resnet18", "model.weights.file=gone.pth", f"model.weights.sha256={'0' * 64}")
    with pytest.raises(UsageError, match=r"^benchmark 'scenes-classification': .*gone\.pth"):
        planned(methods=("gap",), benchmarks=("scenes-classification",), overrides=overrides)
