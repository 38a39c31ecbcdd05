"""Collect diagnostics while a trained model looks at a few test images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.diagnostics.collector import Collector
from harness.diagnostics.pictures import save_overlays
from harness.slots import observing

_PIXELS = 8 * 224 * 224
"""Pixels of the images that pass together: attention maps grow with the square of that."""


def _batches(loader: Any, count: int) -> Iterator[Any]:
    """The first ``count`` test images in small batches of equal shape, collated as in the test."""
    waiting: list[Any] = []
    for index in range(min(count, len(loader.dataset))):
        sample = loader.dataset[index]
        shape = sample["inputs"].shape
        if waiting and (shape != waiting[0]["inputs"].shape or (len(waiting) + 1) * shape[-2] * shape[-1] > _PIXELS):
            yield loader.collate_fn(waiting)
            waiting = []
        waiting.append(sample)
    if waiting:
        yield loader.collate_fn(waiting)


def _observing_modules(model: nn.Module) -> list[nn.Module]:
    """Plugins inside a model: registered classes know their slot."""
    return [module for module in model.modules() if getattr(type(module), "plugin_name", None)]


def _labels(samples: Any) -> Tensor | None:
    """(B, H, W) categories of the pixels, where the samples have them in one size."""
    maps = [field.data for sample in samples or () if (field := getattr(sample, "gt_sem_seg", None)) is not None]
    if not maps or len(maps) < len(samples) or len({tuple(labels.shape[-2:]) for labels in maps}) > 1:
        return None
    return torch.cat([labels.reshape(1, *labels.shape[-2:]) for labels in maps])


def diagnose(
    model: nn.Module, loader: Any, *, images: int | None = None, pictures: Path | None = None, pictured: int = 3
) -> dict[str, float]:
    """Diagnostics of a trained model on the first test images.

    Args:
        loader: the test dataloader; its dataset is read, its workers are not started.
        images: how many; by default a fiftieth of the test set, at least 2 and at most 16.
        pictures: folder for overlays of the maps on the first ``pictured`` images; none are drawn without it.

    Returns:
        Diagnostic name -> mean over the images; empty for a method that offers nothing.
    """
    count = images or min(16, max(2, len(loader.dataset) // 50))
    collector = Collector(model)
    hooks = [module.register_forward_hook(collector.inputs_and_outputs) for module in _observing_modules(model)]
    was_training = model.training
    model.eval()
    drawn = 0
    try:
        with torch.no_grad(), observing(collector):
            for batch in _batches(loader, count):
                data = model.data_preprocessor(batch, False)
                samples = data.get("data_samples")
                labels = _labels(samples)
                collector.labels = None if labels is None else labels.to(data["inputs"].device)
                collector.maps = {}
                model(data["inputs"], samples, mode="tensor")
                if pictures is None or not collector.maps:
                    continue
                for image in range(min(pictured - drawn, len(data["inputs"]))):
                    save_overlays(pictures, drawn, data["inputs"][image], {name: maps[image] for name, maps in collector.maps.items()})
                    drawn += 1
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return collector.means.values()
