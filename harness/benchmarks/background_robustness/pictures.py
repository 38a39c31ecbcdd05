"""Test images with their classes and variants written below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import images
from harness.benchmarks.background_robustness.options import BackgroundData
from harness.benchmarks.background_robustness.readers.varied import Variants
from harness.benchmarks.background_robustness.scores import VARIANTS, judged
from harness.benchmarks.base import Sample, relative
from harness.diagnostics.maps import Marks


def samples(root: Path, data: BackgroundData, listing: Variants, count: int) -> list[Sample]:
    """The first test image of each variant, then the second of each, every time of the next class."""
    ranks: dict[tuple[int, int], int] = {}
    order = []
    for index, sample in enumerate(listing.varied):
        key = sample.variant, sample.label
        ranks[key] = ranks.get(key, -1) + 1
        order.append((ranks[key], sample.label, sample.variant, index, sample))
    shown, decoding = [], listing.decoding(data)
    for *_, sample in sorted(order, key=lambda entry: entry[:4])[:count]:
        name = f"{listing.groups[sample.label]}, {[*VARIANTS][sample.variant]}"
        image = images.read_rgb(sample.file, decoding)
        large, _ = images.enlarge(image)
        shown.append(Sample(relative(sample.file, root), image, images.label_strip(large, name), name))
    return shown


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """The class of a tested image and the one it was taken for, by name."""
    meta = evaluator.dataset_meta
    (guess,) = judged(sample.pred_score.argmax()[None].cpu().numpy(), meta["mapping"])
    truth = ", ".join(meta["groups"][label] for label in sample.gt_label.tolist())
    return Marks(text=truth), Marks(text=meta["groups"][guess] if guess >= 0 else "another class")
