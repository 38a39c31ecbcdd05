"""What is shown of one trial, against what was measured, written out by hand."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

from harness.analysis import reproduction, source
from harness.analysis.views import trial as views
from harness.diagnostics.strips import looked_at
from harness.store import Floor, MetricSpec


@pytest.fixture
def view(result, trial_row):
    """Makes a view from a trial's metrics and what the store has besides; what is not given is empty."""

    def make(metrics=None, *, specs=(), floors=(), scores=None, classes=(), **more) -> views.TrialView:
        whole = result("gap", metrics=metrics or {"top1": 50.0}, notes=("a note",))
        row = trial_row("gap", state="done", reason=None, task=whole.task, dataset=whole.dataset, version=more.pop("version", 1))
        empty = {"curves": {}, "config": {}, "conditions": {}, "environment": {}, "tuning": None, "command": ()}
        return views.build(row, whole, specs=specs, floors=floors, per_sample=scores or {}, classes=classes, **empty | more)

    return make


def test_metrics_come_primary_first_with_their_floors(view):
    specs = [
        MetricSpec("scenes", 1, "error", "m", False, "Error", False, per_scene=True),
        MetricSpec("scenes", 1, "top1", "%", True, "Top-1 accuracy", True, per_scene=True),
        MetricSpec("scenes", 2, "top1", "px", False, "of another version", True),
        MetricSpec("another", 1, "top1", "px", False, "of another benchmark", True),
    ]
    floors = [
        Floor("scenes", 1, "d1", "top1", 60.0),
        Floor("scenes", 1, "d1", "error", 2.0),
        Floor("scenes", 1, "d1", "error/attic", 0.5),
        Floor("scenes", 1, "other data", "top1", 1.0),
        Floor("scenes", 1, "d1", "other/x", float("nan")),
    ]
    metrics = {"error/attic": 1.0, "error": 1.5, "top1/attic": 40.0, "top1": 50.0, "unknown": 3.0, "other/x": 4.0}
    found = view(metrics, specs=specs, floors=floors)
    told = [(m.metric, m.scene, m.unit, m.higher_is_better, m.primary, m.floor, m.below_floor) for m in found.metrics]
    assert told == [
        ("top1", "", "%", True, True, 60.0, True),
        ("error", "", "m", False, False, 2.0, False),
        ("unknown", "", "", None, False, None, False),
        ("error/attic", "attic", "m", False, False, 0.5, True),
        ("top1/attic", "attic", "%", True, False, None, False),
        ("other/x", "x", "", None, False, None, False),
    ]
    assert found.primary == found.metrics[0] and view({"unknown": 1.0}).primary is None
    assert dict(found.costs) == {
        **{"parameters (M)": 1.23, "GFLOPs": 2.5, "latency (ms)": 4.0},
        **{"peak memory (MB)": 100.0, "training memory (MB)": 200.0},
    }


def test_predictions_are_those_of_the_pictured_images(view):
    places = looked_at(300)
    assert places[:3] == [0, 60, 120] and len(places) == 6
    scores = {"label": np.arange(300) % 3, "guess": np.arange(300) % 2, "error": np.linspace(0, 2.99, 300), "group": np.zeros(300)}
    found = view(scores={name: values.astype(np.float32) for name, values in scores.items()}, classes=("cat", "dog"))
    told = [{fact.name: fact.text for fact in found.pictured(image)} for image in range(3)]
    assert told[1] == {"test sample": "60 (of 0 to 299)", "class": "cat", "taken for": "cat", "error": "0.6"}
    assert view(scores={"label": np.array([2.0, 1.0])}, classes=("cat", "dog")).pictured(0)[1].text == "2", "a class without a name"
    assert found.pictured(99) == view().pictured(0) == []
    assert view(scores={"a": np.zeros(3), "b": np.zeros(4)}).pictured(0) == [], "nobody knows which sample is meant"


def test_differences_are_all_that_differs_and_nothing_else(view):
    def build(lr: float, more: dict, version: str) -> views.TrialView:
        config = {"optim": {"lr": lr, "betas": [0.9, 0.99]}, "steps": [{"type": "Resize"}, {"type": "Flip", **more}], "none": None}
        return view(
            config=config, environment={"packages": {"torch": version}, "device": "cpu"}, conditions={"numerics": 5, "model": {"dim": 3}}
        )

    here, there = build(0.1, {}, "2.1"), build(0.2, {"p": 0.5}, "2.2")
    assert [(d.of, d.key, d.here, d.there) for d in views.differences(here, there)] == [
        ("config", "optim.lr", "0.1", "0.2"),
        ("config", "steps[1].p", "", "0.5"),
        ("environment", "packages.torch", "2.1", "2.2"),
    ]
    assert [(d.key, d.here, d.there) for d in views.differences(there, here)] == [
        ("optim.lr", "0.2", "0.1"), ("steps[1].p", "0.5", ""), ("packages.torch", "2.2", "2.1")
    ]  # fmt: skip
    assert views.differences(here, build(0.1, {}, "2.1")) == []


def test_provenance_names_code_data_and_machine(view):
    environment = {"git_sha": "a" * 40, "git_dirty": True, "packages": {"torch": "2.1"}, "cpu": "AMD EPYC", "driver": None}
    told = {fact.name: fact.text for fact in view(environment=environment).provenance}
    assert told["git commit"] == "a" * 40 + " and changes that were not committed"
    assert told["package torch"] == "2.1" and told["cpu"] == "AMD EPYC" and told["dataset"] == "d1"
    assert "driver" not in told and "--set" not in told


def test_a_config_is_written_so_that_it_reads_back():
    import yaml

    config = {"model": {"mean": [1.5, 2.0], "name": "a: b", "öffnen": None}, "steps": [{"type": "x"}]}
    text = views.config_text(config)
    assert yaml.safe_load(text) == config and [*yaml.safe_load(text)] == [*config]
    assert "mean: [1.5, 2.0]" in text


def test_a_trial_is_put_together_from_the_store(measured, tmp_path):
    url = f"sqlite:///{tmp_path}/results/harness.db"
    (gem,) = measured("gem", 80.0, sets=("method.p=4",), device="cpu")
    measured("gap", None)
    found = source.trial_view(url, gem[:10])
    assert (found.row.digest, found.standing, found.primary.value, found.primary.floor) == (gem, "done", 80.0, 16.7)
    assert found.curves["loss"] == [(1.0, 1.5), (2.0, 0.25)] and found.environment == {"device": "cpu"}
    assert found.config["model"]["model"]["neck"]["params"]["p"] == 4
    assert "--set method.p=4" in found.command[0] and "--device cpu" in found.command[0]
    failed = source.trial_view(url, source.trials(url, states=["failed"])[0].digest)
    assert failed.standing == "failed" and failed.metrics == () and failed.result is None and failed.costs == []
    assert source.siblings(url, gem) == [] and [row.digest for row in source.siblings(url, failed.row.digest)] == [gem]
    assert source.primaries(url, [gem, failed.row.digest]) == {gem: "80.0 %"}


def test_no_text_of_a_store_becomes_a_command(trial_row):
    evil = "x; rm -rf ~ $(id) `id` 'a' \"b\""
    row = trial_row(method=evil, benchmark=evil, seed=2, overrides=(f"data.name={evil}",))
    sha = "$(id)" + "0" * 35
    (line,) = reproduction.command(row, {"device": "cpu; id", "git_sha": sha}, None)
    assert shlex.split(line) == [
        *("harness", "run", "-m", evil, "-b", evil, "--seeds", "3", "--set", f"data.name={evil}", "--db", reproduction.ELSEWHERE)
    ]
    sha = "0123456789" * 4
    assert reproduction.command(row, {"git_sha": sha, "device": "cuda:1"}, None)[0] == f"git checkout {sha}"
    assert "--device cuda:1" in reproduction.command(row, {"git_sha": sha, "device": "cuda:1"}, None)[1]
    assert reproduction.command(row, {"git_sha": sha, "git_dirty": True}, None)[0].startswith("#")
