"""The parts of ``perf/gpu.py``: ``python perf/gpu_parts.py PART FILE SECONDS DEVICE`` measures one and writes it as JSON."""

from __future__ import annotations

import gc
import json
import os
import re
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIRST = {  # one method of each benchmark of the quick suite
    "scenes-classification": ["simpool", "gap", "gem"],
    "scenes-localization": ["simpool", "gap", "gem"],
    "scenes-segmentation": ["gc-block", "identity", "non-local-embedded-gaussian"],
    "figures-keypoint": ["non-local-embedded-gaussian", "identity", "dnl-pairwise-only"],
    "rooms": ["mst-multi-scene-transformer", "mst-no-encoder-sa", "qk-alignment-plus-fixed-pe"],
}
BIG = ("model.backbone=resnet50", "data.size=512", "data.train=16", "data.test=8", "schedule.batch_size=8")
METHODS = ("danet", "ocnet", "non-local-embedded-gaussian", "gc-block", "dnl-add-disentangled-key", "isanet", "simpool", "se")


class Part:
    """Where a part's figures go, and how long it may take."""

    def __init__(self, file: Path, seconds: float, device: str):
        self.file, self.device = file, device
        self.until = time.monotonic() + seconds
        self.found: dict[str, Any] = {}
        self.cuda = device.startswith("cuda")

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()

    def say(self, **figures: Any) -> None:
        """Keep some figures, whatever happens afterwards."""
        self.found |= figures
        self.file.write_text(json.dumps(self.found, indent=1))


def timed(step: Callable[[], Any], cuda: bool, seconds: float = 1.0, least: int = 5) -> float:
    """Median seconds of a call."""
    import torch
    from paired import seconds as once

    for _ in range(2):
        step()
    times: list[float] = []
    until = time.monotonic() + seconds
    while len(times) < least or (time.monotonic() < until and len(times) < 200):
        times.append(once(step, cuda))
    if cuda:
        torch.cuda.synchronize()
    return statistics.median(times)


def limits(part: Part) -> None:
    """What large products and copies reach."""
    import torch

    side = 8192 if part.cuda else 512
    name = torch.cuda.get_device_name(part.device) if part.cuda else "CPU"
    part.say(device=name, torch=torch.__version__, cores=len(os.sched_getaffinity(0)), cuda=torch.version.cuda)
    big = torch.ones(2**28 if part.cuda else 2**22, device=part.device)
    spent = timed(lambda: big.clone(), part.cuda)
    part.say(gb_per_s=2 * big.nbytes / spent / 1e9)
    rates: dict[str, float] = {}
    kinds = [("fp32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False), ("fp16", torch.float16, False)]
    for kind, dtype, tf32 in kinds if part.cuda else kinds[:1]:
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a = torch.randn(side, side, device=part.device, dtype=dtype)
        rates[kind] = 2 * side**3 / timed(lambda a=a: a @ a, part.cuda) / 1e12
        part.say(tflops=rates)


def _generate() -> None:
    """Write the data of the quick suite, which is no part of what is timed."""
    from harness import data
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover
    from harness.compose.plan import Selection, plan

    files, catalog = discover(), load_catalog()
    for name, some in FIRST.items():
        data.ensure(plan(Selection(methods=(some[0],), benchmarks=(name,)), catalog, files).tasks[name], None)


def _suite(part: Part, chosen: dict[str, list[str]], store: str, seeds: int, **options: Any) -> dict[str, Any]:
    """Run trials until they are done or time is up; seconds from the first start to the last end, and what was done."""
    from harness import data
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover
    from harness.compose.plan import Plan, Selection, plan
    from harness.engine.progress import Event
    from harness.engine.run import run_plan
    from harness.store import open_store

    files, catalog = discover(), load_catalog()
    sets = () if part.cuda else ("schedule.epochs=1",)
    plans = [
        plan(Selection(methods=tuple(some), benchmarks=(name,), seeds=seeds, overrides=sets), catalog, files)
        for name, some in chosen.items()
    ]
    trials = [trial for planned in plans for trial in planned.trials]
    tasks = {name: task for planned in plans for name, task in planned.tasks.items()}
    folders = {name: data.ensure(task, None) for name, task in tasks.items()}
    seen: dict[str, Any] = {"at_once": 0, "started": None}

    def watch(event: Event) -> None:
        seen["at_once"] = max(seen["at_once"], event.progress.running)
        if event.kind == "started" and seen["started"] is None:
            seen["started"] = time.monotonic()
        if event.kind == "done":
            seen["ended"] = time.monotonic()
        if event.kind in ("again", "failed", "warning"):
            print(event.kind, event.trial and event.trial.method, event.message, flush=True)
        if part.left < 0 and event.kind == "tick":
            raise KeyboardInterrupt

    kept = part.file.parent / store
    url = f"sqlite:///{kept}/harness.db"
    kept.mkdir(exist_ok=True)
    summary = run_plan(
        Plan(trials, tasks), url, data_dirs=folders, device=part.device, results_dir=kept, plugin_files=files, on_event=watch, **options
    )
    results = open_store(url, read_only=True).results(digests=[trial.digest for trial in trials])
    wall = seen.get("ended", time.monotonic()) - (seen["started"] or time.monotonic())
    reasons = sorted({f"{row.benchmark} {row.method}: {row.reason}" for row in summary.failed})
    return {
        "results": results,
        "wall_s": wall,
        "done": summary.ran,
        "total": len(trials),
        "failed": len(summary.failed),
        "reasons": reasons,
        "at_once": seen["at_once"],
        "folder": kept,
    }


def _waiting(folder: Path, digest: str) -> float:
    """Share of a trial's training that it waited for batches, by mmengine's log; NaN where nothing was logged."""
    log = folder / "trials" / digest / "log.txt"
    text = log.read_text(errors="replace") if log.is_file() else ""
    lines = re.findall(r"Epoch\(train\).*? time: ([\d.]+)\s+data_time: ([\d.]+)", text)
    whole = sum(float(time) for time, _ in lines)
    return sum(float(data) for _, data in lines) / whole if whole else float("nan")


def suites(part: Part) -> None:
    """Trials one at a time, then as many at once as there is room for."""
    _generate()
    until = part.until
    part.until = time.monotonic() + 0.5 * part.left
    alone = _suite(part, {name: some[:1] for name, some in FIRST.items()}, "alone", 1, trials_per_gpu=1, workers=1)
    part.until = until
    spent = {r.benchmark: r.finished - r.started for r in alone["results"]}
    rows = {
        r.benchmark: {
            "alone_s": spent[r.benchmark],
            "waiting": _waiting(alone["folder"], r.digest),
            "durations": dict(r.durations),
            "metrics": dict(r.metrics),
        }
        for r in alone["results"]
    }
    part.say(trials=rows, alone_per_hour=3600 * alone["done"] / max(alone["wall_s"], 1e-9), alone_trouble=alone["reasons"])
    known = {name: some for name, some in FIRST.items() if name in spent}
    if not known:
        return
    options: dict[str, Any] = {"trials_per_gpu": "auto"} if part.cuda else {}
    shared = _suite(part, known, "shared", 2, **options)
    work = sum(spent[r.benchmark] for r in shared["results"])
    doubts = sorted({note for r in shared["results"] for note in r.notes if "latency" in note or "memory" in note})
    figures = {name: shared[name] for name in ("at_once", "done", "failed", "reasons")}
    part.say(shared=figures | {"gain": work / shared["wall_s"], "per_hour": 3600 * shared["done"] / shared["wall_s"], "notes": doubts})


def quick(part: Part) -> None:
    """The whole quick suite, as far as time allows."""
    _whole(part, "quick")


def small(part: Part) -> None:
    """The small real datasets, as far as time allows; nothing where they are not at hand."""
    if os.environ.get("HARNESS_DATA"):
        _whole(part, "real")


def _whole(part: Part, name: str) -> None:
    from harness.catalog import load_catalog

    catalog = load_catalog()
    suite = catalog.suites[name]
    chosen = {benchmark: list(suite.methods_of(catalog.benchmarks[benchmark])) for benchmark in suite.benchmarks}
    found = _suite(part, chosen, name, 1, **({"trials_per_gpu": "auto"} if part.cuda else {}))
    part.say(**{figure: found[figure] for figure in ("done", "total", "failed", "reasons", "wall_s", "at_once")})


def _runner(part: Part, benchmark: str, method: str, sets: tuple[str, ...], work: Path) -> Any:
    """mmengine's runner of a trial."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    from harness import data, openmmlab
    from harness.benchmarks import register
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover, load_plugins
    from harness.compose.plan import Selection, plan

    register.setup()
    from harness.engine.trial import bare_config

    openmmlab.use_device(part.device)
    files = discover()
    planned = plan(Selection(methods=(method,), benchmarks=(benchmark,), overrides=sets), load_catalog(), files)
    trial = planned.trials[0]
    load_plugins(set(trial.plugins), files)
    config = bare_config(trial, data.ensure(planned.tasks[benchmark], None), work)
    config["experiment_name"] = str(time.monotonic_ns())
    return Runner.from_cfg(Config(config))


KINDS = (
    ("fp32", ()),
    ("tf32", ("schedule.precision=tf32",)),
    ("tf32, cuDNN tries", ("schedule.precision=tf32",)),
    ("bf16", ("schedule.precision=bf16",)),
    ("bf16, channels last", ("schedule.precision=bf16",)),
    ("fp16, channels last", ("schedule.precision=fp16",)),
    ("bf16, channels last, recomputed", ("schedule.precision=bf16",)),
)


def steps(part: Part) -> None:
    """Training steps of a segmentation model at full size, by how they are computed."""
    _steps(part, KINDS)


def compiled(part: Part) -> None:
    """The same step compiled; a part of its own, since compiling takes minutes and cannot be told to stop."""
    _steps(part, (("bf16, compiled", ("schedule.precision=bf16", "schedule.compile=true")),))


def _steps(part: Part, kinds: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    size = BIG if part.cuda else ("schedule.batch_size=4",)
    batch = 8 if part.cuda else 4
    rows: list[dict[str, Any]] = []
    trouble: list[str] = []
    for what, sets in kinds:
        if part.left < 8 or (not part.cuda and ("tf32" in what or "fp16" in what)):
            continue
        try:
            spent, peak = _step(part, what, (*sets, *size))
            rows.append({"what": what, "ms": 1e3 * spent, "images_per_s": batch / spent, "peak_mb": peak})
        except Exception as error:
            trouble.append(f"{what}: {type(error).__name__}: {error}"[:300])
            print(trouble[-1], flush=True)
        gc.collect()
        part.say(rows=rows, trouble_with=trouble)


def _step(part: Part, what: str, sets: tuple[str, ...]) -> tuple[float, float]:
    """Seconds and peak MB of one training step."""
    import torch

    from harness.benchmarks.parts.layout import channels_last
    from harness.engine.recompute import recompute_activations

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = what != "fp32"
    torch.backends.cudnn.benchmark = what not in ("fp32", "tf32")
    with tempfile.TemporaryDirectory() as work:
        runner = _runner(part, "scenes-segmentation", "non-local-embedded-gaussian", sets, Path(work))
        model = runner.model
        if "last" in what:
            channels_last(model.backbone)
        if "recomputed" in what:
            recompute_activations(model.backbone)
        wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        wrapper.initialize_count_status(model, 0, 10**6)
        sample = next(iter(runner.build_dataloader(runner._train_dataloader)))
        inputs = [image.to(part.device) for image in sample["inputs"]]
        model.train()
        step: Callable[..., Any] = torch.compile(model.train_step) if "compiled" in what else model.train_step
        if part.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        spent = timed(
            lambda: step({"inputs": inputs, "data_samples": sample["data_samples"]}, optim_wrapper=wrapper), part.cuda, seconds=1.5
        )
        return spent, torch.cuda.max_memory_allocated() / 2**20 if part.cuda else 0.0


def methods(part: Part) -> None:
    """Methods against their plain forms and OpenMMLab's modules, and what share of the device's limits they reach."""
    import torch
    from method_table import markdown
    from paired import seconds
    from rich.console import Console
    from torch.utils.flop_counter import FlopCounterMode

    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover, load_plugins
    from harness.openmmlab import setup

    setup()
    from methods import measure
    from peers.case import build

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    known = load_catalog().methods
    load_plugins({f.plugin for m in known.values() if m.state != "planned" for f in m.slots.values()}, discover())
    sizes = [(56, 256), (128, 64)] if part.cuda else [(14, 64)]
    told = json.loads((part.file.parent / "limits.json").read_text()) if (part.file.parent / "limits.json").is_file() else {}
    rows, roofline, trouble = [], [], []
    for method in METHODS:
        for size, width in sizes:
            if part.left < 4:
                break
            try:
                options = Namespace(only=[method], size=[size], width=[width], memory=24.0, longest=2.0, seconds=0.6, threads=1)
                rows += measure(known, part.device, options, Console(stderr=True))
                case = build(method, known[method], d=width, edge=size, batch=16 if part.cuda else 2, device=part.device)
                step = case.step("ours")
                step()
                with FlopCounterMode(display=False) as counter:
                    step()
                spent = statistics.median(seconds(step, part.cuda) for _ in range(20))
                flops = counter.get_total_flops()
                if told.get("tflops"):
                    least = max(flops / (told["tflops"]["fp32"] * 1e12), 4 * case.x.nbytes / (told["gb_per_s"] * 1e9))
                    roofline.append(
                        {"method": method, "place": f"{size}², d = {width}", "tflops": flops / spent / 1e12, "share": least / spent}
                    )
                del case, step
            except (Exception, SystemExit) as error:
                trouble.append(f"{method}: {type(error).__name__}: {error}"[:300])
                print(trouble[-1], flush=True)
            part.say(markdown=markdown(rows, part.device, 1) if rows else "", roofline=roofline, trouble_with=trouble)


def _trained(part: Part, benchmark: str, method: str, sets: tuple[str, ...], **options: Any) -> Any:
    """A trial's outcome in this process, and its folder with the log."""
    from harness import data
    from harness.benchmarks import register
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover, load_plugins
    from harness.compose.plan import Selection, plan

    register.setup()
    from harness.engine.trial import run_trial

    files = discover()
    planned = plan(Selection(methods=(method,), benchmarks=(benchmark,), overrides=sets), load_catalog(), files)
    trial = planned.trials[0]
    load_plugins(set(trial.plugins), files)
    work = Path(tempfile.mkdtemp())
    return run_trial(trial, data=data.ensure(planned.tasks[benchmark], None), work_dir=work, device=part.device, **options), work


def loaders(part: Part) -> None:
    """Loader workers where images are decoded and augmented anew in each epoch; classification, since its scores cost nothing."""
    rows: list[dict[str, Any]] = []
    sets = (
        "schedule.epochs=2",
        "data.augment=crop-flip",
        *(("data.size=224", "data.train=640", "data.test=16", "model.backbone=resnet18") if part.cuda else ("data.train=160",)),
    )
    cores = len(os.sched_getaffinity(0))
    for workers in (0, 8, 4, 2, 1):
        if part.left < 8:
            break
        if workers > cores:
            continue
        _, work = _trained(part, "scenes-classification", "gap", sets, loader_workers=workers)
        text = "".join(file.read_text(errors="replace") for file in work.rglob("*.log"))
        lines = [(float(a), float(b)) for a, b in re.findall(r"Epoch\(train\)\s+\[2\].*? time: ([\d.]+)\s+data_time: ([\d.]+)", text)]
        if lines:
            whole = sum(a for a, _ in lines)
            rows.append({"workers": workers, "per_s": len(lines) / whole, "waiting": sum(b for _, b in lines) / whole})
            part.say(rows=sorted(rows, key=lambda row: row["workers"]))


def determinism(part: Part) -> None:
    """The same trial with and without deterministic kernels."""
    sets = ("schedule.epochs=2",) if part.cuda else ("schedule.epochs=1", "data.train=40", "data.test=16")
    case = ("scenes-segmentation", "gc-block", sets)
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    _trained(part, *case)  # libraries are loaded, kernels chosen
    plain, _ = _trained(part, *case)
    one, _ = _trained(part, *case, deterministic=True)
    two, _ = _trained(part, *case, deterministic=True)
    part.say(
        what=" ".join(map(str, case[:2])),
        ratio=statistics.mean([one.durations["train"], two.durations["train"]]) / plain.durations["train"],
        equal=one.metrics == two.metrics and all((one.curves[name] == two.curves[name]).all() for name in one.curves),
        without=list(one.environment.get("not_deterministic", [])),
    )


PARTS = {run.__name__: run for run in (limits, suites, steps, methods, loaders, determinism, compiled, quick, small)}

if __name__ == "__main__":
    PARTS[sys.argv[1]](Part(Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
