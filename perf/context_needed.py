"""What a model scores on the synthetic classification and keypoint tasks when the context it needs is taken away.

    python perf/context_needed.py                                  # both benchmarks, 2 seeds
    python perf/context_needed.py figures-keypoint --seeds 3

Two controls each: the benchmark's model on data without the cue (no ring around the target; limbs that do not
mirror each other), and on the data as it is a model that looks at patches of 4 x 4 pixels one by one, as a vision
transformer without its attention would. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import fmean

os.environ.setdefault("OMP_NUM_THREADS", "1")

from harness import data
from harness.benchmarks import register
from harness.benchmarks.backbones import BACKBONES, Backbone
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose import Selection, plan

_LOCAL = "model.backbone=local"

CONTROLS: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    # benchmark: method, and the overrides of each setting
    "scenes-classification": (
        "gap",
        {"as it is": (), "no ring": ("data.cue=false",), "4 x 4 patches one by one": (_LOCAL,)},
    ),
    "figures-keypoint": (
        "se",
        {
            "as it is": (),
            "limbs not mirrored": ("data.mirrored=false",),
            "4 x 4 patches one by one": (_LOCAL, "model.deconv=[]", "model.block_at=[{path: backbone}]"),
        },
    ),
}


def register_local_features() -> None:
    """``local``, a backbone of stride 4 whose every output depends on its own 4 x 4 pixels."""
    from mmengine.registry import MODELS
    from torch import Tensor, nn

    @MODELS.register_module()
    class LocalFeatures(nn.Sequential):
        def __init__(self, width: int = 128):
            layers: list[nn.Module] = []
            for inputs, kernel in ((3, 4), (width, 1), (width, 1), (width, 1)):
                convolution = nn.Conv2d(inputs, width, kernel, stride=kernel, bias=False)
                layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            super().__init__(*layers)

        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (super().forward(x),)

    BACKBONES["local"] = Backbone({"type": "LocalFeatures"}, {0: (128, 4)}, 0, (0, 0), "backbone")


def measure(benchmark: str, method: str, overrides: tuple[str, ...], seeds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Mean metrics over the seeds, and the floor's."""
    from harness.engine.trial import run_trial

    files = discover()
    wanted = plan(Selection(methods=(method,), benchmarks=(benchmark,), seeds=seeds, overrides=overrides), load_catalog(), files)
    task = wanted.tasks[benchmark]
    root = data.ensure(task, None)
    scores: dict[str, list[float]] = defaultdict(list)
    for trial in wanted.trials:
        load_plugins(set(trial.plugins), files)
        with tempfile.TemporaryDirectory() as work:
            for name, value in run_trial(trial, data=root, work_dir=Path(work)).metrics.items():
                scores[name].append(value)
    return {name: fmean(values) for name, values in scores.items()}, task.floor(root)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", nargs="*", default=list(CONTROLS), help=f"any of {', '.join(CONTROLS)}")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    register.setup()
    register_local_features()
    rows = []
    for benchmark in arguments.benchmark:
        method, settings = CONTROLS[benchmark]
        for name, overrides in settings.items():
            metrics, floor = measure(benchmark, method, overrides, arguments.seeds)
            cells = [f"{key} {value:.1f} (floor {floor[key]:.1f})" for key, value in metrics.items() if key in floor]
            rows.append(f"| {benchmark} | {name} | {', '.join(cells)} |")
    print("| benchmark | setting | scores |", "|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
