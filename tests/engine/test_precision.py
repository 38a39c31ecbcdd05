"""How the steps of a schedule are computed: what changes a result is in the digest, and does what it says."""

from __future__ import annotations

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from harness import benchmarks, data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose import Selection, compose, plan
from harness.compose.overrides import Overrides

SMALL = ("data.train=48", "data.test=24", "data.size=32", "schedule.epochs=3", "schedule.batch_size=16")
LATER = ("schedule.accumulate=2", "schedule.precision=tf32", "schedule.precision=bf16", "schedule.precision=fp16", "schedule.compile=true",
         "schedule.channels_last=true", "schedule.channels_last=false", "schedule.ema=0.01")  # fmt: skip
DEFAULTS = ("schedule.accumulate=1", "schedule.precision=fp32", "schedule.compile=false", "schedule.channels_last=null", "schedule.ema=0")


@pytest.fixture
def run(openmmlab, tmp_path):
    """``run(*overrides, **options)`` -> the outcome of a small trial and its model."""
    from harness.engine import trial as engine

    def go(*overrides, method="gap", **options):
        files = discover()
        chosen = Selection(methods=(method,), benchmarks=("scenes-classification",), overrides=(*SMALL, *overrides))
        planned = plan(chosen, load_catalog(), files)
        (trial,) = planned.trials
        load_plugins(set(trial.plugins), files)
        work = tmp_path / str(len([*tmp_path.iterdir()]))
        work.mkdir()
        folder = data.ensure(planned.tasks[trial.benchmark], None)
        return engine.run_trial(trial, data=folder, work_dir=work, **options)

    return go


@pytest.mark.parametrize("benchmark", ["scenes-classification", "scenes-segmentation", "rooms"])
def test_what_changes_a_result_is_in_the_digest_and_defaults_are_not(benchmark):
    catalog, files = load_catalog(), discover()
    slots = benchmarks.task(catalog.benchmarks[benchmark]).slots
    method = next(method for method in catalog.methods.values() if method.state == "works" and method.fill(slots))

    def digests(*sets):
        task = benchmarks.task(Overrides.parse(sets).of_benchmark(catalog.benchmarks[benchmark]))
        trial = compose(method, task, 0, "data", files)
        return trial.digest, trial.setting, trial.task

    plain = digests()
    assert {digests(said) for said in DEFAULTS} == {plain}
    others = [digests(said) for said in LATER]
    assert len({digest for digest, *_ in (*others, plain)}) == len({setting for _, setting, _ in (*others, plain)}) == len(LATER) + 1
    assert {task for *_, task in others} == {plain[2]}, "a floor trains nothing"


def test_bf16_learns_what_fp32_learns(run):
    """Training in bfloat16 on a CPU: autocast is on in every step and off in every test, and the scores are close."""
    seen = {"loss": set(), "predict": set()}
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda model, inputs, output: (
            seen["loss" if model.training else "predict"].add(torch.is_autocast_enabled("cpu"))
            if hasattr(model, "data_preprocessor")
            else None
        )
    )
    try:
        half = run("schedule.precision=bf16", "schedule.epochs=6")
    finally:
        handle.remove()
    assert seen == {"loss": {True}, "predict": {False}}
    full = run("schedule.epochs=6", "schedule.channels_last=true")
    losses = [outcome.curves["loss"][:, 1] for outcome in (half, full)]
    assert losses[0][-1] < losses[0][0] and losses[0] == pytest.approx(losses[1], rel=0.1) and (losses[0] != losses[1]).any()


def test_activations_made_twice_change_no_result(run):
    """Neither gradients nor the running statistics of batch normalization, and the step holds less."""
    plain, again = run(method="gather-excite"), run(method="gather-excite", recompute=True)
    assert plain.metrics == again.metrics
    for name, curve in plain.curves.items():
        assert (curve == again.curves[name]).all(), name
    assert again.cost.train_memory_mb < plain.cost.train_memory_mb


def test_accumulated_batches_make_one_step(run):
    """Twelve batches of four are three steps of sixteen images, so that the rate's warm-up and decay meet as many steps."""
    steps = []
    handle = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    try:
        run("schedule.batch_size=4", "schedule.accumulate=4", "schedule.epochs=1")
    finally:
        handle.remove()
    assert len(steps) == 3


def test_averaged_weights_are_validated_and_tested(run):
    """With a share of 1 - 1e-9 the average is the last weights; with a small one it stays near the first."""
    last, plain = run("schedule.ema=0.999999999"), run()
    assert last.metrics == plain.metrics
    slow = run("schedule.ema=1e-9")
    assert slow.curves["loss"].tolist() == plain.curves["loss"].tolist(), "what is trained is the same"
    assert len({*slow.curves["val/top1"][:, 1]}) == 1, "the average stays where it began"
    assert slow.metrics["top1"] != plain.metrics["top1"], "and is tested there"


def test_how_a_gpu_computed_is_in_the_record(run, monkeypatch):
    """What :mod:`harness.engine.computing` reports of a GPU, and its note."""
    from contextlib import contextmanager

    from harness.engine import trial as engine
    from harness.engine.computing import Computing, computing

    class OnGpu(Computing):
        def report(self):
            return Computing("cuda:0", self.tf32, self.deterministic, self.undetermined).report()

    @contextmanager
    def pretended(device, **options):
        with computing(device, **options):
            yield OnGpu(device, undetermined={"cumsum_cuda_kernel"}, **options)

    monkeypatch.setattr(engine, "computing", pretended)
    found = run("schedule.precision=tf32", "schedule.epochs=1", deterministic=True)
    about = {name: found.environment[name] for name in ("tf32", "deterministic", "not_deterministic")}
    assert about == {"tf32": True, "deterministic": True, "not_deterministic": ["cumsum_cuda_kernel"]}
    assert any("cumsum_cuda_kernel" in note for note in found.notes)


@pytest.mark.slow
def test_a_compiled_step_learns_the_same(run):
    pytest.importorskip("torch._inductor")
    compiled, plain = run("schedule.compile=true"), run()
    assert compiled.curves["loss"][:, 1] == pytest.approx(plain.curves["loss"][:, 1], rel=1e-2)
