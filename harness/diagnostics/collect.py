"""Collect diagnostics while a trained model looks at a few of the test images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from harness.diagnostics.collector import Collector
from harness.diagnostics.grids import plugins
from harness.diagnostics.measures import IGNORED
from harness.diagnostics.pictures import save_overlays
from harness.diagnostics.strips import looked_at
from harness.slots import observing

COLLAPSED = "collapsed"
"""A trial's label, and its mark among the diagnostics of a layer."""

_PIXELS = 8 * 224 * 224
"""Pixels of the images that pass together: attention maps grow with the square of that."""


def _batches(loader: Any, places: list[int]) -> Iterator[Any]:
    """The images at some places of the test set, in small batches of equal shape, collated as in the test."""
    waiting: list[Any] = []
    for index in places:
        sample = loader.dataset[index]
        shape = sample["inputs"].shape
        if waiting and (shape != waiting[0]["inputs"].shape or (len(waiting) + 1) * shape[-2] * shape[-1] > _PIXELS):
            yield loader.collate_fn(waiting)
            waiting = []
        waiting.append(sample)
    if waiting:
        yield loader.collate_fn(waiting)


def _labels(samples: Any, ignored: int) -> Tensor | None:
    """(B, H, W) categories of the pixels, where the samples have them in one size; ``ignored`` becomes ``IGNORED``."""
    maps = [field.data for sample in samples or () if (field := getattr(sample, "gt_sem_seg", None)) is not None]
    if not maps or len(maps) < len(samples) or len({tuple(labels.shape[-2:]) for labels in maps}) > 1:
        return None
    labels = torch.cat([labels.reshape(1, *labels.shape[-2:]) for labels in maps])
    return labels.masked_fill(labels == ignored, IGNORED)


def diagnose(
    model: nn.Module, loader: Any, *, images: int | None = None, pictures: Path | None = None, pictured: int = 3
) -> tuple[dict[str, float], list[str]]:
    """Diagnostics of a trained model on images spread evenly over the test set.

    Args:
        loader: the test dataloader; its dataset is read, its workers are not started.
        images: how many, see :func:`harness.diagnostics.strips.looked_at`.
        pictures: folder for overlays of the maps on the first ``pictured`` of them; none are drawn without it.

    Returns:
        Diagnostic name -> mean over the images, empty for a method that offers nothing; and notes of what was too large to measure
        and of what has collapsed.
    """
    collector = Collector(model)
    attached = plugins(model)
    hooks = [module.register_forward_pre_hook(collector.grids.entered) for module in attached]
    hooks += [module.register_forward_hook(collector.inputs_and_outputs) for module in attached]
    # the labels are the dataset's, and so is the index that marks those without a category
    ignored = getattr(loader.dataset, "ignore_index", IGNORED)
    was_training = model.training
    model.eval()
    drawn = 0
    try:
        with torch.no_grad(), observing(collector):
            for batch in _batches(loader, looked_at(len(loader.dataset), images)):
                data = cast("Any", model).data_preprocessor(batch, False)
                samples = data.get("data_samples")
                labels = _labels(samples, ignored)
                collector.labels = None if labels is None else labels.to(data["inputs"].device)
                collector.grids.image = tuple(data["inputs"].shape[-2:])
                collector.maps = {}
                model(data["inputs"], samples, mode="tensor")
                if pictures is None or not collector.maps:
                    continue
                for image in range(min(pictured - drawn, len(data["inputs"]))):
                    save_overlays(pictures, drawn, data["inputs"][image], {name: maps[image] for name, maps in collector.maps.items()})
                    drawn += 1
    finally:
        if was_training:
            model.train()
        for hook in hooks:
            hook.remove()
    found = collector.means.values() | {f"{COLLAPSED}/{layer}": 1.0 for layer in collector.collapsed()}
    return found, collector.notes()


def labels(diagnostics: dict[str, float]) -> dict[str, str]:
    """What of :func:`diagnose` a reader of the numbers should see beside them: ``attention``, if that of any layer has collapsed."""
    return {"attention": COLLAPSED} if any(name.startswith(f"{COLLAPSED}/") for name in diagnostics) else {}
