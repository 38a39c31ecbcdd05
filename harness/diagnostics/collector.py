"""An observer that turns what attention modules offer into running means."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.diagnostics import MEASURES, measures, relations
from harness.diagnostics.grids import Grids
from harness.diagnostics.maps import MOST
from harness.slots import value_of

_LARGEST = 2**28
"""Bytes of the largest attention matrix of one image, all heads, that is formed."""

_PURITY: dict[measures.Region, str] = {
    "sphere-max": "purity",
    "sphere-mean": "purity_sphere_mean",
    "sphere-p95": "purity_sphere_p95",
    "nearest": "purity_nearest",
}


class _Means:
    """Running means by name; NaN values are left out."""

    def __init__(self) -> None:
        self._sum: dict[str, float] = defaultdict(float)
        self._count: dict[str, int] = defaultdict(int)

    def add(self, name: str, values: list[float]) -> None:
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            self._sum[name] += math.fsum(finite)
            self._count[name] += len(finite)

    def values(self) -> dict[str, float]:
        return {name: self._sum[name] / self._count[name] for name in sorted(self._sum)}


def measured(offered: Any) -> Tensor | None:
    """What a module offered, in float32 and off the graph; ``None`` for what is no tensor."""
    value = value_of(offered)
    return value.detach().float() if isinstance(value, Tensor) else None


def _is_average(module: nn.Module, spatial: Tensor) -> bool:
    """Whether a map is that of plain average pooling, which would only dilute the means over layers."""
    flat = spatial.flatten(2)
    return next(module.parameters(), None) is None and bool((flat.amin(-1) == flat.amax(-1)).all())


def _vectors(value: Any) -> Tensor | None:
    """Positions as vectors (B, N, D) from a map (B, C, H, W) or tokens (B, N, D)."""
    if isinstance(value, (tuple, list)) and value:
        value = value[0]
    if not isinstance(value, Tensor) or value.ndim not in (3, 4):
        return None
    return value.flatten(2).transpose(1, 2) if value.ndim == 4 else value


class Collector:
    """Observer that turns what attention modules offer into running means over images, and keeps the maps of the last batch.

    Names are ``measure/layer``, ``measure/layer/headN`` where a layer has several heads; ``measure`` alone is the
    mean over layers.

    Attributes:
        labels: (B, H, W) categories of the pixels of the images that are looked at, where they are known.
        grids: where the positions of modules lie.
        maps: layer -> (B, M, H, W) or (B, heads, N) maps of these images: what each key receives, or for keys that are no
            positions from where, or lines between boxes; a unary term has a row of its own.
    """

    def __init__(self, model: nn.Module):
        self.names = {id(module): name for name, module in model.named_modules()}
        self.means = _Means()
        self.labels: Tensor | None = None
        self.maps: dict[str, Tensor] = {}
        self.grids = Grids(model)
        self._too_large: set[str] = set()
        self._over_positions: set[str] = set()

    def notes(self) -> list[str]:
        """What was left out, and what has collapsed; a sentence per layer."""
        limit = f"{_LARGEST >> 20} MiB"
        large = [f"attention of {layer} not measured on images where its matrix exceeds {limit}" for layer in sorted(self._too_large)]
        return [*large, *self.collapsed().values()]

    def collapsed(self) -> dict[str, str]:
        """Each layer whose attention to positions has an entropy under :data:`measures.COLLAPSED` of the uniform one -> a sentence."""
        means, found = self.means.values(), {}
        for measure in ("entropy", "unary_entropy"):
            for layer in sorted(self._over_positions):
                value, uniform = means.get(f"{measure}/{layer}"), means.get(f"{measure}_uniform/{layer}", 0.0)
                if value is not None and value < measures.COLLAPSED * uniform:
                    what = "unary attention" if measure.startswith("unary") else "attention"
                    found[layer] = (
                        f"the {what} of {layer} has collapsed: entropy {value:.2g} of {uniform:.3g}, {100 * value / uniform:.0f} %"
                    )
        return found

    def __call__(self, module: nn.Module, values: dict[str, Any]) -> None:
        layer = self.names.get(id(module), type(module).__name__)
        q, k, spatial = (measured(values.get(name)) for name in ("q", "k", "map"))
        offered: dict[str, Tensor] = {}
        # to attend to one class or basis is what those are for
        if "keys" not in values or str(values["keys"]).startswith("pooled"):
            self._over_positions.add(layer)
        if q is not None and k is not None and q.shape[-1] == k.shape[-1]:
            offered |= {"q": q, "k": k}
            if q.shape == k.shape:  # a share of the queries among all tokens, comparable where they are as many as the keys
                for region, purity in measures.purity(q, k).items():
                    self._add(_PURITY[region], layer, purity, heads=region == "sphere-max")
        if "attention" in values:
            if self._bytes(module, q, k) > _LARGEST:
                self._too_large.add(layer)
            elif (attention := measured(values["attention"])) is not None:
                offered["attention"] = attention
                grid = None if "queries" in values else self.grids.of(module, attention.shape[-2])
                if attention.shape[-2] == attention.shape[-1] and "keys" not in values:
                    self._among_positions(layer, attention, spatial, grid)
                elif grid is not None:  # for each of the keys, where it is attended to
                    self.maps[layer] = torch.unflatten(attention.mean(dim=1).mT, -1, grid)
                if (boxes := measured(values.get("boxes"))) is not None:
                    offered["boxes"] = boxes
                    self._between_boxes(layer, attention, boxes)
                self._pairwise(layer, attention, spatial)
        if spatial is not None and not _is_average(module, spatial):
            offered["map"] = spatial
            self._spatial(layer, spatial, "unary_entropy" if "attention" in values else "entropy")
        self._listed(layer, offered)

    def _bytes(self, module: nn.Module, q: Tensor | None, k: Tensor | None) -> int:
        """Size of an image's attention matrix, known before it is formed: from queries and keys, else for one head over the input."""
        if q is not None and k is not None:
            return 4 * q.shape[1] * q.shape[-2] * k.shape[-2]
        return 4 * (self.grids.positions(module) or 0) ** 2

    def _listed(self, layer: str, offered: dict[str, Tensor]) -> None:
        """Add the listed measures that take nothing but some of ``offered``."""
        for name, measure in MEASURES.items():
            if measure.of and set(measure.of) <= offered.keys():
                value = measure(*(offered[part] for part in measure.of))
                self._add(name, layer, value, heads=value.ndim == 2)

    def _add(self, measure: str, layer: str, value: Tensor, heads: bool = False) -> None:
        """Add (B,) or, for each head, (B, heads) values of a layer."""
        per_image = (value if value.ndim == 1 else value.nanmean(dim=1)).tolist()
        self.means.add(f"{measure}/{layer}", per_image)
        self.means.add(measure, per_image)
        if heads and value.shape[1] > 1:
            for head, numbers in enumerate(value.T.tolist()):
                self.means.add(f"{measure}/{layer}/head{head}", numbers)

    def _entropy(self, measure: str, layer: str, weights: Tensor, per_head: Tensor) -> None:
        if not measures.is_distribution(weights):
            self.means.add(f"renormalised/{layer}", [1.0])
        self._add(measure, layer, per_head, heads=True)
        self._add(f"{measure}_uniform", layer, torch.full((len(weights),), math.log(weights.shape[-1])))

    def _pairwise(self, layer: str, attention: Tensor, unary: Tensor | None) -> None:
        keys = attention.shape[-1]
        self._entropy("entropy", layer, attention, measures.entropy(attention).mean(dim=-1))
        self._attended(layer, measures.attended_keys(attention))
        weights = attention if unary is None or unary[0, 0].numel() != keys else attention + unary.flatten(2).unsqueeze(-2)
        share = measures.pairwise_share(weights)
        self._add("pairwise_share", layer, share, heads=True)
        self._add("unary_share", layer, 1 - share)

    def _attended(self, layer: str, received: Tensor) -> None:
        """Share and number of the keys (..., N) that receive more than their part of the attention."""
        share = measures.attended_share(received)
        self._add("attended_share", layer, share)
        self._add("attended_keys", layer, share * received.shape[-1])

    def _among_positions(self, layer: str, attention: Tensor, unary: Tensor | None, grid: tuple[int, int] | None) -> None:
        """What asks for keys that are positions, as the queries are."""
        if self.labels is not None and grid is not None:
            labels = F.interpolate(self.labels[:, None].float(), grid, mode="nearest").long().flatten(1)
            mass, random = measures.within_category_mass(attention, labels)
            self._add("within_category_mass", layer, mass)
            self._add("within_category_random", layer, random)
            if unary is None:
                self._on_boundaries(layer, torch.unflatten(measures.attended_keys(attention.abs()), 1, (1, *grid)))
        received = attention.mean(dim=2)
        self.maps[layer] = received if grid is None else torch.unflatten(received, -1, grid)

    def _between_boxes(self, layer: str, attention: Tensor, boxes: Tensor) -> None:
        """Lines between the boxes of an image, which come one image at a time."""
        if self.grids.image is not None and len(boxes) == 1:
            drawn = relations.lines(attention[:, :MOST], boxes, self.grids.image)
            self.maps[layer] = torch.cat([self.maps[layer], drawn]) if layer in self.maps else drawn

    def _spatial(self, layer: str, spatial: Tensor, measure: str) -> None:
        flat = spatial.flatten(2)
        self._entropy(measure, layer, flat, measures.entropy(flat))
        if measure == "entropy":
            self._attended(layer, flat.abs())
        self._on_boundaries(layer, spatial)
        self.maps[layer if measure == "entropy" else f"{layer} (unary)"] = spatial

    def _on_boundaries(self, layer: str, spatial: Tensor) -> None:
        """Boundary mass of (B, M, H, W) maps, mean over M, where labels are known."""
        if self.labels is None:
            return
        edges = F.interpolate(measures.boundary(self.labels)[:, None], spatial.shape[-2:], mode="area")
        mass, random = measures.boundary_mass(spatial, edges)
        self._add("boundary_mass", layer, mass)
        self._add("boundary_random", layer, random)

    def inputs_and_outputs(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """Forward hook: how alike the positions of an attention module's input and output are."""
        layer = self.names.get(id(module), type(module).__name__)
        for measure, value in (("input_cosine_distance", args[0] if args else None), ("output_cosine_distance", output)):
            vectors = _vectors(value)
            if vectors is not None and vectors.shape[1] > 1:
                self._add(measure, layer, measures.cosine_distance(vectors.detach()))
