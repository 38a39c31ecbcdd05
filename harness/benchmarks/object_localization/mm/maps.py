"""The score map of a method: what its attention offers, or class activation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from harness.diagnostics.grids import fitting, plugins
from harness.errors import TrialError
from harness.slots import observing, value_of

CAM = "class activation"

UNIFORM = 1e-3
"""A map whose values differ by no more than this share of the largest is taken as uniform."""
_POOLING, _KEYS, _GATE, _QUERIES = "pooling attention", "key map", "spatial gate", "mean over queries"
CLASS_TOKEN = "[CLS] attention"


class MapRecorder:
    """Observer of one forward pass: the spatial maps that attention modules offer, last one first.

    * ``map`` (B, M, H, W): the mean over its M maps (a pooling's attention, a spatial gate, a unary term). Where that is
      uniform although the maps are not, because they share the positions out evenly (the marginals of optimal transport),
      the largest of the M maps at each position;
    * ``attention`` (B, heads, N_q, N_k): the mean over heads and queries, laid out on the grid of the keys, which is
      what each position receives; a leading class token is left out.

    Args:
        image: (H, W) of the model's input.
        head: which of M maps or heads is taken instead of their mean; one alone is taken whatever its number.

    Attributes:
        maps: (B, h, w) and what it is, in the order of the forward pass: ``pooling attention``, ``key map`` (attention of
            another plugin that is the same for every query), ``spatial gate`` (does not sum to one) or ``mean over queries``.
        keys: (B, d, h, w) keys of the last attention that offered them, heads concatenated.
    """

    def __init__(self, image: tuple[int, int], head: int | None = None) -> None:
        self._image = image
        self._head = head
        self._grids: dict[int, tuple[int, int]] = {}
        self.maps: list[tuple[Tensor, str]] = []
        self.keys: Tensor | None = None
        self._class_token: tuple[nn.Module, Tensor] | None = None

    def entered(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Forward pre-hook of plugin modules: the grid of their input."""
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].ndim == 4:
            self._grids[id(module)] = cast(tuple[int, int], tuple(inputs[0].shape[-2:]))

    def __call__(self, module: nn.Module, values: dict[str, Any]) -> None:
        grid = self._grids.get(id(module), self._image)
        spatial, attention, keys = (_value(values.get(key)) for key in ("map", "attention", "k"))
        if attention is not None and "keys" not in values:  # those of EMANet are bases, not positions
            laid_out = _on_grid(self._one(module, attention).mean(dim=1), grid)
            if laid_out is not None:
                self.maps.append((laid_out, _QUERIES))
        if spatial is not None:
            one = self._one(module, spatial)
            if self._head is None:
                one = torch.where(varies(one)[:, None, None], one, spatial.float().amax(dim=1))
            self.maps.append((one, _kind(module, spatial)))
        if keys is not None and keys.ndim == 4:
            self.keys = _on_grid(keys.transpose(1, 2).flatten(2).transpose(1, 2), grid)

    def _one(self, module: nn.Module, offered: Tensor) -> Tensor:
        """The head that was asked for of (B, M, …), or the mean over all; (B, …)."""
        count = offered.shape[1]
        if self._head is None or count == 1:
            return offered.float().mean(dim=1)
        if self._head >= count:
            name = getattr(type(module), "plugin_name", type(module).__name__)
            raise TrialError(f"model.head is {self._head}, but '{name}' has {count} maps. Choose one of 0 to {count - 1}, or leave it out.")
        return offered[:, self._head].float()

    def projected(self, attention: nn.Module, output: Tensor) -> None:
        """What the layer for queries, keys and values of a transformer's ``attention`` returned: (B, N, 3d), keys in the middle."""
        q, k, _ = output.detach().chunk(3, dim=-1)
        self.keys = _on_grid(k.transpose(1, 2), self._image)
        count = q.shape[1]
        if fitting(count, *self._image) is None and (grid := fitting(count - 1, *self._image)):
            first, keys = (torch.unflatten(t.float(), -1, (cast(int, attention.num_heads), -1)) for t in (q[:, 0], k))
            weights = torch.einsum("bad,bnad->ban", first * first.shape[-1] ** -0.5, keys).softmax(-1)
            self._class_token = attention, torch.unflatten(weights[..., 1:], -1, grid)

    def class_token(self) -> Tensor | None:
        """What the class token attends to in a transformer backbone's last self-attention, (B, h, w), where there is one."""
        # by request only: the head that is asked for may be a method's, which has more
        return None if self._class_token is None else self._one(*self._class_token)


def last_attention(backbone: nn.Module) -> nn.Module | None:
    """A transformer's last self-attention, whose ``qkv`` computes its queries, keys and values together."""
    found = [m for m in backbone.modules() if isinstance(getattr(m, "qkv", None), nn.Linear)]
    return found[-1] if found else None


def _kind(module: nn.Module, spatial: Tensor) -> str:
    """What a map (B, M, H, W) of a plugin is."""
    if getattr(type(module), "slot", None) == "pooling":
        return _POOLING
    sums = spatial.float().sum(dim=(-2, -1))
    return _KEYS if ((sums - 1).abs() < 1e-2).all() else _GATE


def _value(offered: Any) -> Tensor | None:
    value = value_of(offered)
    return value.detach() if isinstance(value, Tensor) else None


def _on_grid(tokens: Tensor, grid: tuple[int, int]) -> Tensor | None:
    """(…, N) as (…, h, w) in the aspect ratio of ``grid``; ``None`` where N tokens fill no such grid."""
    for skipped in (0, 1):  # 1: a class token in front
        if laid_out := fitting(tokens.shape[-1] - skipped, *grid):
            return torch.unflatten(tokens[..., skipped:], -1, laid_out)
    return None


@contextmanager
def recording(model: nn.Module, image: tuple[int, int], head: int | None = None) -> Iterator[MapRecorder]:
    """Record what the plugins of ``model`` offer during the forward passes inside the block.

    Args:
        image: (H, W) of the model's input, the aspect ratio where a module's own grid is not known.
        head: see :class:`MapRecorder`.
    """
    recorder = MapRecorder(image, head)
    last = last_attention(cast(nn.Module, model.backbone))
    hooks = []
    if last is not None:
        qkv = cast(nn.Linear, last.qkv)
        hooks.append(qkv.register_forward_hook(lambda _module, _inputs, output: recorder.projected(last, output)))
    hooks += [m.register_forward_pre_hook(recorder.entered) for m in plugins(model)]
    try:
        with observing(recorder):
            yield recorder
    finally:
        for hook in hooks:
            hook.remove()


def varies(maps: Tensor) -> Tensor:
    """Whether each map of (B, H, W) differs between positions, by more than ``UNIFORM``; bool (B,)."""
    low, high = maps.flatten(1).aminmax(dim=1)
    # maps that are uniform by construction are not quite so: rounding, or iterations that end (optimal transport)
    return high - low > UNIFORM * high.abs().clamp_min(low.abs())


def own_maps(recorder: MapRecorder, batch: int) -> list[tuple[Tensor, str] | None]:
    """For each image the last map that varies over positions, and what it is; a uniform map says nothing."""
    chosen: list[tuple[Tensor, str] | None] = [None] * batch
    for values, name in recorder.maps:
        if values.shape[0] != batch:
            continue
        for index in torch.nonzero(varies(values)).flatten().tolist():
            chosen[index] = (values[index], name)
    return chosen


def class_activation(features: Tensor, weight: Tensor, labels: list[Tensor], scores: Tensor) -> Tensor:
    """Class activation maps: the classifier's weights on the feature map (Zhou et al., CVPR 2016), not rectified.

    The class is the true one, as in the published evaluation ("GT-known"); of several true classes, the one that
    scores highest.

    Args:
        features: (B, C, h, w), the input of the pooling.
        weight: (classes, C).
        labels: per image, its true classes.
        scores: (B, classes).

    Returns:
        (B, h, w).
    """
    chosen = torch.stack([label[row[label].argmax()] for label, row in zip(labels, scores, strict=True)])
    return torch.einsum("bchw,bc->bhw", features, weight[chosen])
