"""What local and global heads score on the synthetic segmentation task, and how far the local one sees.

    python perf/context_needed_segmentation.py                                # 14 trials of 10 s
    python perf/context_needed_segmentation.py --seeds 3 --methods identity gc-block

Between wheat and rye only the banner tells, at least 38 pixels from any field. FCN (``identity``) must guess; so must
every method where the banner's colour means nothing (the last row). Prints a Markdown table, and the largest
gradient of a field's logits with respect to any pixel of the banner.
"""

from __future__ import annotations

import argparse
import os
from math import nan

os.environ.setdefault("OMP_NUM_THREADS", "1")

from context_needed import measure

from harness import benchmarks, data
from harness.benchmarks import register
from harness.catalog import Filling, load_catalog
from harness.catalog.plugins import discover, load_plugins

BENCHMARK = "scenes-segmentation"
METHODS = ("identity", "aspp-deeplabv3", "se", "gc-block", "non-local-embedded-gaussian", "ocnet")
SHOWN = ("mIoU", "IoU/ground", "IoU/stone", "IoU/wheat", "IoU/rye", "IoU/banner")


def banner_gradient(plugin: str) -> float:
    """Largest |d logits at field pixels / d banner pixels| of an untrained model, over the first test images."""
    import torch
    import torch.nn.functional as F
    from mmengine.registry import MODELS, init_default_scope

    from harness.benchmarks.segmentation.readers.pairs import read_label
    from harness.images import read_rgb

    init_default_scope("mmseg")
    load_plugins({plugin}, discover())
    task = benchmarks.task(load_catalog().benchmarks[BENCHMARK])
    config = task.config({"context": Filling(plugin=plugin)})
    torch.manual_seed(0)
    model = MODELS.build(config["model"]).double().eval()
    largest = 0.0
    for pair in task.listing(data.ensure(task, None)).split("test")[:8]:
        label = torch.from_numpy(read_label(pair.label).copy())
        image = torch.from_numpy(read_rgb(pair.image).copy()).permute(2, 0, 1)[None].double().requires_grad_()
        logits = F.interpolate(model(image, mode="tensor"), size=label.shape, mode="bilinear", align_corners=False)
        (gradient,) = torch.autograd.grad(logits[0, :, (label == 2) | (label == 3)].square().sum(), image)
        largest = max(largest, gradient[0, :, label == 4].abs().max().item())
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    arguments = parser.parse_args()
    register.setup()
    print(f"gradient at the banner: FCN {banner_gradient('identity'):g}, PSANet {banner_gradient('psanet'):.2g}")
    print(f"| method | {' | '.join(SHOWN)} |", f"|---|{'---|' * len(SHOWN)}", sep="\n")
    settings = [(method, method, ()) for method in arguments.methods]
    settings.append(("non-local-embedded-gaussian", "the same, a banner without meaning", ("data.cue=false",)))
    for method, title, overrides in settings:
        metrics, floor = measure(BENCHMARK, method, overrides, arguments.seeds)
        print("| " + " | ".join([title, *(f"{metrics.get(name, nan):.1f}" for name in SHOWN)]) + " |", flush=True)
    print("| " + " | ".join(["floor: majority class", *(f"{floor.get(name, nan):.1f}" for name in SHOWN)]) + " |")


if __name__ == "__main__":
    main()
