"""Collect diagnostics while a trained model looks at a few test images, one image at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.diagnostics import measures
from harness.diagnostics.pictures import save_overlays
from harness.slots import observing


class _Means:
    """Running means by name; NaN values are left out."""

    def __init__(self) -> None:
        self._sum: dict[str, float] = defaultdict(float)
        self._count: dict[str, int] = defaultdict(int)

    def add(self, name: str, value: float) -> None:
        if math.isfinite(value):
            self._sum[name] += value
            self._count[name] += 1

    def values(self) -> dict[str, float]:
        return {name: self._sum[name] / self._count[name] for name in sorted(self._sum)}


def _vectors(value: Any) -> Tensor | None:
    """Positions as vectors (B, N, D) from a map (B, C, H, W) or tokens (B, N, D)."""
    if isinstance(value, (tuple, list)) and value:
        value = value[0]
    if not isinstance(value, Tensor) or value.ndim not in (3, 4):
        return None
    return value.flatten(2).transpose(1, 2) if value.ndim == 4 else value


class Collector:
    """Observer that turns what attention modules offer into running means and keeps maps of the first images.

    Names are ``measure/layer``, for pairwise attention also ``measure/layer/head``; ``measure`` alone is the
    mean over layers.
    """

    def __init__(self, model: nn.Module, region: measures.Region = "sphere-max"):
        self.names = {id(module): name for name, module in model.named_modules()}
        self.region = region
        self.means = _Means()
        self.labels: Tensor | None = None
        self.maps: dict[str, Tensor] = {}
        """Layer -> (M, H, W) or (heads, N) maps of the current image."""

    def __call__(self, module: nn.Module, values: dict[str, Any]) -> None:
        layer = self.names.get(id(module), type(module).__name__)
        found = {name: value() if callable(value) and not isinstance(value, Tensor) else value for name, value in values.items()}
        found = {name: value.detach().float() for name, value in found.items() if isinstance(value, Tensor)}
        if "q" in found and "k" in found and found["q"].shape == found["k"].shape:
            self._per_head("purity", layer, measures.purity(found["q"], found["k"], self.region))
            self._per_head("qk_distance", layer, measures.qk_distance(found["q"], found["k"]))
        if "attention" in found:
            self._pairwise(layer, found["attention"])
        if "map" in found:
            self._spatial(layer, found["map"])

    def _add(self, measure: str, layer: str, value: Tensor) -> None:
        number = float(value.mean())
        self.means.add(f"{measure}/{layer}", number)
        self.means.add(measure, number)

    def _per_head(self, measure: str, layer: str, value: Tensor) -> None:
        self._add(measure, layer, value)
        if value.shape[1] > 1:
            for head, number in enumerate(value.mean(dim=0).tolist()):
                self.means.add(f"{measure}/{layer}/head{head}", number)

    def _pairwise(self, layer: str, attention: Tensor) -> None:
        if not measures.is_distribution(attention):
            self.means.add(f"renormalised/{layer}", 1.0)
        self._per_head("entropy", layer, measures.entropy(attention).mean(dim=-1))
        self._add("attended_share", layer, measures.attended_share(attention))
        self._add("map_cosine_distance", layer, measures.cosine_distance(attention.mean(dim=1)))
        labels = self._labels_at(attention.shape[-1])
        if labels is not None and attention.shape[-2] == attention.shape[-1]:
            mass, random = measures.within_category_mass(attention, labels.flatten(1))
            self._add("within_category_mass", layer, mass)
            self._add("within_category_random", layer, random)
        if attention.shape[-2] == attention.shape[-1]:  # keys that are no positions (bases, objects) make no picture
            self.maps[layer] = attention.mean(dim=2)[0]

    def _spatial(self, layer: str, spatial: Tensor) -> None:
        flat = spatial.flatten(2)
        if not measures.is_distribution(flat):
            self.means.add(f"renormalised/{layer}", 1.0)
        self._add("entropy", layer, measures.entropy(flat))
        if self.labels is not None:
            edges = measures.boundary(self.labels)
            edges = torch.nn.functional.interpolate(edges[:, None], spatial.shape[-2:], mode="area")[:, 0]
            mass, random = measures.boundary_mass(spatial.mean(dim=1), edges)
            self._add("boundary_mass", layer, mass)
            self._add("boundary_random", layer, random)
        self.maps[layer] = spatial[0]

    def _labels_at(self, count: int) -> Tensor | None:
        """Labels resized to a grid of ``count`` positions of the label map's aspect ratio."""
        if self.labels is None:
            return None
        height, width = self.labels.shape[-2:]
        rows = round(math.sqrt(count * height / width))
        if rows == 0 or count % rows:
            return None
        resized = torch.nn.functional.interpolate(self.labels[:, None].float(), (rows, count // rows), mode="nearest")
        return resized[:, 0].long()

    def inputs_and_outputs(self, module: nn.Module, args: tuple, output: Any) -> None:
        """Forward hook: how alike the positions of an attention module's input and output are."""
        layer = self.names.get(id(module), type(module).__name__)
        for measure, value in (("input_cosine_distance", args[0] if args else None), ("output_cosine_distance", output)):
            vectors = _vectors(value)
            if vectors is not None and vectors.shape[1] > 1:
                self._add(measure, layer, measures.cosine_distance(vectors.detach()))


def _single_images(loader: Any, count: int) -> Iterator[Any]:
    dataset = loader.dataset
    for index in range(min(count, len(dataset))):
        yield loader.collate_fn([dataset[index]])


def _observing_modules(model: nn.Module) -> list[nn.Module]:
    """Plugins inside a model: registered classes know their slot."""
    return [module for module in model.modules() if getattr(type(module), "plugin_name", None)]


def _labels(samples: Any) -> Tensor | None:
    first = samples[0] if isinstance(samples, (list, tuple)) and samples else None
    field = getattr(first, "gt_sem_seg", None)
    return None if field is None else field.data.reshape(1, *field.data.shape[-2:]).cpu()


def diagnose(model: nn.Module, loader: Any, *, images: int | None = None, pictures: Path | None = None, pictured: int = 3) -> dict[str, float]:
    """Diagnostics of a trained model on the first test images.

    Args:
        loader: the test dataloader; its dataset is read image by image.
        images: how many; by default a fiftieth of the test set, at least 4 and at most 16.
        pictures: folder for overlays of the maps on the first ``pictured`` images; none are drawn without it.

    Returns:
        Diagnostic name -> mean over the images; empty for a method that offers nothing.
    """
    count = images or min(16, max(4, len(loader.dataset) // 50))
    collector = Collector(model)
    hooks = [module.register_forward_hook(collector.inputs_and_outputs) for module in _observing_modules(model)]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), observing(collector):
            for index, batch in enumerate(_single_images(loader, count)):
                data = model.data_preprocessor(batch, False)
                samples = data.get("data_samples")
                collector.labels = _labels(samples)
                collector.maps = {}
                model(data["inputs"], samples, mode="tensor")
                if pictures is not None and index < pictured and collector.maps:
                    save_overlays(pictures, index, data["inputs"][0], collector.maps)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return collector.means.values()
