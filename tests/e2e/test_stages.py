"""A method pre-trains, and what it learned goes into segmentation and localization; killed and resumed, the numbers are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import data
from harness.benchmarks import task
from harness.catalog.load import load_catalog
from harness.catalog.plugins import discover
from harness.compose import Selection, plan
from harness.compose.again import Registered
from harness.compose.overrides import Overrides
from harness.compose.tuning import FIRST_SEED, final_plan, searches, tuning_plan
from harness.errors import UsageError
from harness.store import open_store

VIT = """
      backbone:
        type: mmpretrain.VisionTransformer
        arch: {embed_dims: 12, num_layers: 2, num_heads: 2, feedforward_channels: 16}
        img_size: 32
        patch_size: 8
        out_type: featmap
        _channels: 12
        _stride: 8
      weights: {after: tiny-pretraining, key: teacher}
"""

REGISTRY = f"""
suites:
  stages:
    seeds: 1
    benchmarks: [tiny-segmentation, tiny-localization]
    methods: [attmask-high]
benchmarks:
  tiny-pretraining:
    family: self-supervised
    tier: synthetic
    data: {{format: synthetic, train: 24, test: 12, size: 32, classes: 2}}
    model:
      width: 12
      depth: 2
      heads: 2
      feedforward: 16
      patch: 8
      distillation: {{hidden: 16, bottleneck: 8, prototypes: 16, balance: sinkhorn, temperature: [0.01, 0.01]}}
    schedule: {{epochs: 2, batch_size: 12}}
    cost: 2
  tiny-segmentation:
    family: segmentation
    tier: synthetic
    data: {{format: synthetic, train: 12, test: 6, size: 64}}
    model:
      channels: 16{VIT}
    schedule: {{epochs: 2, batch_size: 6}}
    cost: 2
  tiny-localization:
    family: object-localization
    tier: synthetic
    data: {{format: synthetic, train: 24, test: 12, calibrate: 12, size: 64}}
    model:
      box: dino-seg{VIT}
    schedule: {{epochs: 2, batch_size: 12}}
    cost: 2
  tiny-features:
    family: frozen-features
    tier: synthetic
    data: {{format: synthetic, train: 24, test: 12, size: 32, classes: 2, distractors: [0, 0], cue: false, clutter: 0.2, extent: 1.0}}
    model:{VIT.replace("{after: tiny-pretraining", "{after: tiny-pretraining, method: attmask-high")}
    schedule: {{epochs: 2, batch_size: 12}}
    cost: 2
"""

RUN = ["run", "-s", "stages", "--device", "cpu", "--workers", "2"]
NAMES = ("tiny-pretraining", "tiny-segmentation", "tiny-localization")


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """``planned(method, *changes)`` -> the trials of both stages and of what comes before them, by benchmark."""
    (tmp_path / "registry.yaml").write_text(REGISTRY)
    monkeypatch.chdir(tmp_path)

    def make(method: str = "attmask-high", *changes: str, benchmarks: tuple[str, ...] = NAMES[1:], **more):
        selection = Selection(methods=(method,), benchmarks=benchmarks, overrides=changes, **more)
        return {(trial.benchmark, trial.seed): trial for trial in plan(selection, load_catalog(), discover()).trials}

    return make


def test_a_stage_brings_what_comes_before_it_and_is_known_by_it(planned):
    trials = planned(seeds=2)
    assert [*dict.fromkeys(bench for bench, _ in trials)] == [*NAMES] and len(trials) == 6
    for seed in (0, 1):
        first = trials[NAMES[0], seed]
        assert first.keep and not first.before
        for name in NAMES[1:]:
            stage = trials[name, seed]
            assert stage.before == first.digest and not stage.keep and stage.slot == "masking"
            assert stage.config["model"]["weights"] == {"file": f"$TRIAL/{first.recipe}", "key": "teacher"}
    same = {trials[NAMES[1], seed].setting for seed in (0, 1)}
    assert len(same) == 1 and trials[NAMES[1], 0].config_digest == trials[NAMES[1], 1].config_digest, "seeds are averaged"
    assert len({trial.digest for trial in trials.values()}) == 6
    other = planned("attmask-low")
    assert other[NAMES[1], 0].config_digest != trials[NAMES[1], 0].config_digest, "of other methods are other weights"
    assert other[NAMES[1], 0].setting in same and other[NAMES[1], 0].digest != trials[NAMES[1], 0].digest
    parameters = planned("attmask-high", "method.low=0.2")
    assert parameters[NAMES[1], 0].digest != trials[NAMES[1], 0].digest and parameters[NAMES[1], 0].overrides == ("method.low=0.2",)


def test_a_change_before_a_stage_is_a_change_of_the_stage(planned, tmp_path):
    before = planned()[NAMES[1], 0]
    (tmp_path / "registry.yaml").write_text(REGISTRY.replace("prototypes: 16", "prototypes: 20"))
    after = planned()[NAMES[1], 0]
    assert after.digest != before.digest and after.setting != before.setting and after.task == before.task


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("after: tiny-pretraining", "after: tiny-pretrainin", "Did you mean 'tiny-pretraining'"),
        ("after: tiny-pretraining", "after: tiny-segmentation", "leads back to 'tiny-segmentation'"),
        ("after: tiny-pretraining", "after: tiny-pretraining, sha256: 0123456789", "leave it out"),
        ("after: tiny-pretraining", "trial: abc", "trial"),
    ],
)
def test_what_cannot_be_a_stage_is_refused(planned, tmp_path, old, new, message):
    (tmp_path / "registry.yaml").write_text(REGISTRY.replace(old, new))
    with pytest.raises(UsageError, match=message):
        planned()


def test_methods_of_a_stage_are_those_of_what_comes_before(planned):
    with pytest.raises(UsageError, match="fits no slot of 'tiny-segmentation', which offers masking"):
        planned("gc-block")
    with pytest.raises(UsageError, match=r"Tune '.+' alone"):
        planned(tune=2)


def test_a_stage_may_name_who_learns_before_it(planned, tmp_path):
    trials = planned("simpool", "method.gamma=1.5", "schedule.epochs=3", benchmarks=("tiny-features",), seeds=2)
    assert [*dict.fromkeys(bench for bench, _ in trials)] == [NAMES[0], "tiny-features"] and len(trials) == 4
    registered = planned(seeds=2)
    for seed in (0, 1):
        first, stage = trials[NAMES[0], seed], trials["tiny-features", seed]
        assert first == registered[NAMES[0], seed], "--set is not about it"
        assert (stage.method, stage.slot, stage.before) == ("simpool", "pooling", first.digest)
        assert stage.config["model"]["weights"]["file"] == f"$TRIAL/{first.recipe}"
        assert stage.overrides == ("method.gamma=1.5", "schedule.epochs=3") and not first.overrides
    gap = planned("gap", "schedule.epochs=3", benchmarks=("tiny-features",))["tiny-features", 0]
    assert gap.setting == trials["tiny-features", 0].setting, "poolings of the same features are compared"
    other = planned("gap", "schedule.epochs=3", "model.weights.method=attmask-low", benchmarks=("tiny-features",))
    assert other[NAMES[0], 0].method == "attmask-low" and other["tiny-features", 0].setting != gap.setting
    # here again, from what a store keeps of them
    here, row = Registered.here(), SimpleNamespace(**{**vars(trials["tiny-features", 1]), "slot": "pooling"})
    prints = data.fingerprint(task(here.catalog.benchmarks["tiny-features"]), None)
    assert here.trials([row], here.cell(row, None), row.conditions, None, prints)[0].digest == row.digest


def test_all_seeds_of_a_stage_may_begin_with_the_weights_of_one(planned):
    own = planned("gap", benchmarks=("tiny-features",), seeds=2)
    trials = planned("gap", "model.weights.seed=1", benchmarks=("tiny-features",), seeds=2)
    assert [*trials] == [(NAMES[0], 1), ("tiny-features", 0), ("tiny-features", 1)], "no other seed learns before"
    stages = [trials["tiny-features", seed] for seed in (0, 1)]
    assert {stage.before for stage in stages} == {trials[NAMES[0], 1].digest} == {own[NAMES[0], 1].digest}
    assert len({stage.setting for stage in stages}) == len({stage.config_digest for stage in stages}) == 1
    other = planned("gap", "model.weights.seed=0", benchmarks=("tiny-features",), seeds=2)["tiny-features", 1]
    known = {(stage.setting, stage.config_digest, stage.digest) for stage in (stages[1], other, own["tiny-features", 1])}
    assert all(len({*some}) == 3 for some in zip(*known, strict=True)), "of another teacher, or of one for each seed, are others"
    # where the same method learns before
    same = planned("attmask-high", "model.weights.seed=1", benchmarks=("tiny-segmentation",), seeds=3)
    assert [*same] == [(NAMES[0], 1), *((NAMES[1], seed) for seed in range(3))] and not same[NAMES[0], 1].overrides
    assert {same[NAMES[1], seed].before for seed in range(3)} == {own[NAMES[0], 1].digest}
    # tuned, too, and here again from what a store keeps
    selection, files = Selection(methods=("gap",), benchmarks=("tiny-features",), seeds=2, tune=2), discover()
    changes = Overrides.parse(["model.weights.seed=1"])
    whole = plan(replace(selection, overrides=("model.weights.seed=1",)), load_catalog(), files)
    (found,) = searches(whole, changes, files)
    tried = tuning_plan(whole, [found]).trials
    assert [trial.seed for trial in tried if trial.benchmark == NAMES[0]] == [1]
    verdict = found.judge({trial.digest: 1.0 for point in found.points for trial in point.trials})
    final = final_plan(whole, [found], [verdict], files).trials
    assert [(trial.benchmark, trial.seed) for trial in final] == [*trials]
    here, prints = Registered.here(), data.fingerprint(task(load_catalog().benchmarks["tiny-features"]), None)
    for trial in (stages[1], tried[-1], final[-1]):
        row, conditions = SimpleNamespace(**vars(trial)), {} if trial.purpose else trial.conditions
        assert here.trials([row], here.cell(row, trial.search), conditions, trial.search, prints)[0].digest == trial.digest


def test_all_that_comes_before_a_named_learner_is_as_registered(planned, tmp_path):
    chain = REGISTRY.replace("after: tiny-pretraining, method", "after: tiny-segmentation, method")
    registered = planned(seeds=1, benchmarks=NAMES[1:2])
    (tmp_path / "registry.yaml").write_text(chain)
    trials = planned("gap", "schedule.epochs=3", benchmarks=("tiny-features",))
    assert [bench for bench, _ in trials] == [*NAMES[:2], "tiny-features"]
    assert {key: trials[key] for key in registered} == {key: replace(trial, keep=True) for key, trial in registered.items()}
    assert trials["tiny-features", 0].config["train_cfg"]["max_epochs"] == 3
    # here again
    here, row = Registered.here(), trials["tiny-features", 0]
    prints = data.fingerprint(task(here.catalog.benchmarks["tiny-features"]), None)
    assert here.trials([row], here.cell(row, None), row.conditions, None, prints)[0].digest == row.digest
    # nor is what comes before it asked for otherwise in the same run
    with pytest.raises(UsageError, match="Run them one by one"):
        selection = Selection(methods=("gap", "attmask-low"), benchmarks=(NAMES[0], "tiny-features"), overrides=("schedule.epochs=3",))
        plan(selection, load_catalog(), discover())


def test_a_stage_that_names_who_learns_is_tuned(planned):
    planned()
    selection, files = Selection(methods=("simpool", "gap"), benchmarks=("tiny-features",), seeds=2, tune=3, tune_seeds=2), discover()
    whole = plan(selection, load_catalog(), files)
    found = searches(whole, Overrides.parse(()), files)
    assert [search.cell.method.id for search in found] == ["simpool", "gap"], "who learns before is not tuned"
    tuning = tuning_plan(whole, found).trials
    first, tried = tuning[:2], tuning[2:]
    assert [(trial.benchmark, trial.seed, trial.keep, trial.purpose) for trial in first] == [(NAMES[0], seed, True, "") for seed in (0, 1)]
    assert len(tried) == 2 * 3 * 2 and all(trial.before == first[trial.seed - FIRST_SEED].digest for trial in tried)
    verdicts = [search.judge({trial.digest: n for n, point in enumerate(search.points) for trial in point.trials}) for search in found]
    final = final_plan(whole, found, verdicts, files).trials
    assert final[:2] == first and len(final) == 2 + 2 * 2 and len({trial.setting for trial in final[2:]}) == 1
    assert {trial.setting for trial in final[2:]}.isdisjoint(trial.setting for trial in whole.trials), "of another budget"
    # here again
    here, prints = Registered.here(), data.fingerprint(task(load_catalog().benchmarks["tiny-features"]), None)
    for trial in (tried[-1], final[3]):
        row = SimpleNamespace(**vars(trial))
        conditions = {} if trial.purpose else trial.conditions
        assert here.trials([row], here.cell(row, trial.search), conditions, trial.search, prints)[0].digest == trial.digest


@pytest.mark.parametrize(
    ("changes", "more", "message"),
    [
        (["model.weights.method=attmask-hig"], {}, "Did you mean 'attmask-high'"),
        (["model.weights.method=gap"], {}, r"'gap' \(slot pooling\) leaves nothing on.+slot masking: .+ --family self-supervised"),
        (["model.weights.method=mst-masked-ssl"], {}, "is planned"),
        (["model.weights={trial: 0123456789abcdef, method: attmask-high}"], {}, "give that, too"),
        (["model.weights={trial: 0123456789abcdef, seed: 1}"], {}, "give that, too"),
        (["model.weights.seed=-1"], {}, "greater than or equal to 0"),
        ([], {"method": "attmask-high"}, "fits no slot of 'tiny-features', which offers pooling, block"),
    ],
)
def test_who_cannot_learn_before_a_stage_is_refused(planned, changes, more, message):
    more = {"method": "simpool", "benchmarks": ("tiny-features",), **more}
    with pytest.raises(UsageError, match=message):
        planned(more.pop("method"), *changes, **more)


def test_a_benchmark_is_not_changed_and_as_registered_in_one_run(planned):
    selection = Selection(methods=("attmask-high", "gap"), benchmarks=(NAMES[0], "tiny-features"), overrides=("schedule.epochs=3",))
    with pytest.raises(UsageError, match="Run them one by one"):
        plan(selection, load_catalog(), discover())


def harness(folder: Path, *args: str) -> subprocess.Popen:
    environment = {**os.environ, "HARNESS_CACHE": str(folder.parent / "cache"), "COLUMNS": "100"}
    folder.mkdir(exist_ok=True)
    (folder / "registry.yaml").write_text(REGISTRY)
    command = [sys.executable, "-m", "harness", *args]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(folder: Path, *args: str, code: int = 0) -> str:
    process = harness(folder, *args)
    out, err = process.communicate()
    assert process.returncode == code, err[-3000:]
    return out + err


def killed(folder: Path, benchmark: str, *args: str) -> None:
    """Run until a trial of a benchmark is running, and no longer."""
    process = harness(folder, *args)
    url = f"sqlite:///{folder}/results/harness.db"
    while process.poll() is None:
        if any(row.state == "running" and row.benchmark == benchmark for row in open_store(url, read_only=True).trials()):
            process.send_signal(signal.SIGKILL)
        time.sleep(0.02)
    assert process.returncode == -signal.SIGKILL, process.communicate()


def results(folder: Path) -> dict:
    return {row.digest: (row.benchmark, dict(row.metrics)) for row in open_store(f"sqlite:///{folder}/results/harness.db").results()}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_pre_trained_networks_go_into_segmentation_and_localization(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    finished(whole, *RUN)
    expected = results(whole)
    assert sorted(bench for bench, _ in expected.values()) == sorted(NAMES)
    store = open_store(f"sqlite:///{whole}/results/harness.db")
    rows = {row.benchmark: row for row in store.trials()}
    for name in NAMES[1:]:
        assert any("teacher" in note for note in rows[name].notes), "what was loaded is said"
        assert rows[name].started >= rows[NAMES[0]].finished

    killed(cut, NAMES[0], *RUN)
    killed(cut, NAMES[1], *RUN)
    finished(cut, *RUN)
    assert results(cut) == expected

    # a worker takes the stages that another command planned, and waits for what comes before
    queue = tmp_path / "queue"
    finished(queue, *RUN[:3], "--plan-only")
    finished(queue, "worker", "--device", "cpu")
    assert results(queue) == expected

    # any benchmark begins with any kept trial
    told = ["--set", f"model.weights={{trial: {rows[NAMES[0]].digest}, key: student}}"]
    finished(whole, "run", "-b", NAMES[1], "-m", "identity", *told, "--device", "cpu")
    (row,) = [row for row in store.trials() if row.method == "identity"]
    assert row.state == "done" and any("student" in note for note in row.notes)

    # poolings of what one method learned begin with its trial, which is there
    finished(whole, "run", "-b", "tiny-features", "-m", "gap", "-m", "simpool", "--device", "cpu")
    pooled = [row for row in store.trials() if row.benchmark == "tiny-features"]
    assert len(pooled) == 2 and all(any("teacher" in note for note in row.notes) for row in pooled)
    assert sum(row.benchmark == NAMES[0] for row in store.trials()) == 1

    # and what a kept trial sees is computed ahead of those that are to begin with it, while each trial of a stage sees something else
    frozen = ["-b", NAMES[2], "-m", "gap", "--set", "model.frozen=true", "--set", "model.box=cam"]
    assert "the features of" in finished(whole, "features", "build", NAMES[2], *told, *frozen[4:])
    files = {*(tmp_path / "cache" / "features").glob("*/*.rows")}
    finished(whole, "run", *frozen, *told, "--device", "cpu")
    assert files and files == {*(tmp_path / "cache" / "features").glob("*/*.rows")}
    assert "begins with what another one learns" in finished(whole, "features", "build", NAMES[2], code=2)

    # as a file for anyone it names the file that was kept
    kept = whole / "results/trials" / rows[NAMES[0]].digest / "artifacts/weights.safetensors"
    assert str(kept) in finished(whole, "config", "attmask-high", NAMES[1])

    # without the weights it does not begin from chance
    kept.unlink()
    again = finished(whole, "run", "-b", NAMES[1], "-m", "identity", *told, "--set", "schedule.lr=0.002", "--device", "cpu", code=3)
    assert "has kept none" in again
