"""What a plugin of each slot is built with, fed and expected to return, when its contract is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from harness.slots import AttentionState, Position

DIM, HEADS, SCENES = 32, 4, 3
CLASSES, BINS, STRIDE = 3, 7, 8


@dataclass(frozen=True)
class Probe:
    """How to exercise one slot."""

    context: Callable[[int], dict[str, Any]]
    """Channels -> what the harness passes to the constructor."""
    inputs: Callable[[int, int, tuple[int, int]], tuple[Any, ...]]
    """(channels, batch, (H, W)) -> arguments of the forward pass."""
    expected: Callable[[tuple[Any, ...], Any], str | None]
    """(arguments, output) -> what is wrong with the output, or ``None``."""
    batched: bool = True
    """Whether the output has one row per image."""


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in a nested value, in a fixed order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from tensors(value[key])
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors(getattr(value, field.name))


def _is(value: Any, shape: tuple[int, ...], what: str = "output") -> str | None:
    if not isinstance(value, Tensor):
        return f"{what} is {type(value).__name__}, not a tensor"
    return None if tuple(value.shape) == shape else f"{what} has shape {tuple(value.shape)}, not {shape}"


def _map(channels: int, batch: int, size: tuple[int, int]) -> tuple[Tensor]:
    return (torch.randn(batch, channels, *size),)


def _tokens(_channels: int, batch: int, size: tuple[int, int]) -> tuple[Tensor, Position]:
    count = size[0] * size[1]
    return torch.randn(batch, count, DIM), Position(additive=torch.randn(count, DIM))


def _position(inputs: tuple[int, int], output: Any) -> str | None:
    count = inputs[0] * inputs[1]
    if not isinstance(output, Position):
        return f"output is {type(output).__name__}, not a harness.slots.Position"
    if output.additive is None and output.bias is None and output.rotate is None:
        return "the Position is empty"
    wrong = None
    if output.additive is not None:
        wrong = _is(output.additive, (count, DIM), "additive")
    if output.bias is not None:
        wrong = wrong or _is(output.bias, (HEADS, count, count), "bias")
    if output.rotate is not None:
        shape = (2, HEADS, count, DIM // HEADS)
        wrong = wrong or _is(output.rotate(torch.randn(shape)), shape, "rotated queries")
    return wrong


def _states(_channels: int, batch: int, size: tuple[int, int]) -> tuple[list[AttentionState]]:
    shape = (batch, HEADS, size[0] * size[1], DIM // HEADS)
    return ([AttentionState(q=torch.randn(shape), k=torch.randn(shape)) for _ in range(2)],)


def _attention(_channels: int, batch: int, size: tuple[int, int]) -> tuple[Tensor]:
    # a square grid, as masks made of blocks need to know its sides
    return (torch.rand(batch, max(size) ** 2).softmax(-1),)


def _mask(inputs: tuple[Tensor], output: Any) -> str | None:
    wrong = _is(output, tuple(inputs[0].shape), "mask")
    return wrong or (None if output.dtype == torch.bool else f"mask is {output.dtype}, not bool")


def _boxes(*shape: int) -> Tensor:
    corner = torch.rand(*shape, 2) * 50
    return torch.cat([corner, corner + 1 + torch.rand(*shape, 2) * 50], dim=-1)


def _regions(channels: int, _batch: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    return torch.randn(size[0], channels), _boxes(size[0])


def _pooled(channels: int, batch: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    # regions of each image, whose map's cells are STRIDE pixels wide
    images = torch.arange(batch).repeat_interleave(3)[:, None]
    return torch.randn(batch, channels, *size), torch.cat([images.float(), _boxes(3 * batch)], dim=1)


def _scored(channels: int, _batch: int, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(size[0], channels), _boxes(size[0], CLASSES), torch.rand(size[0], CLASSES)


def _maps(channels: int, batch: int, size: tuple[int, int]) -> tuple[tuple[Tensor, Tensor], Tensor]:
    fine = torch.randn(batch, channels // 2, size[0] * 2, size[1] * 2)
    padding = torch.zeros(batch, size[0] * STRIDE, size[1] * STRIDE, dtype=torch.bool)
    return (fine, torch.randn(batch, channels, *size)), padding


def _detected(inputs: tuple[tuple[Tensor, Tensor], Tensor], output: Any) -> str | None:
    if not isinstance(output, tuple) or len(output) != 2 or not all(isinstance(part, Tensor) for part in output):
        return "output is no pair of tensors"
    logits, boxes = output
    if logits.ndim != 4 or logits.shape[1] != len(inputs[1]) or logits.shape[3] not in (CLASSES, CLASSES + 1):
        return f"logits have shape {tuple(logits.shape)}, not (layers, {len(inputs[1])}, queries, {CLASSES + 1} or {CLASSES})"
    return _is(boxes, (*logits.shape[:3], 4), "boxes")


def _features(channels: int, batch: int, size: tuple[int, int]) -> tuple[tuple[Tensor, Tensor], Tensor]:
    fine = torch.randn(batch, channels // 2, size[0] * 2, size[1] * 2)
    return (fine, torch.randn(batch, channels, *size)), torch.arange(batch) % SCENES


def _pose(inputs: tuple[tuple[Tensor, Tensor], Tensor], output: Any) -> str | None:
    batch = len(inputs[0][0])
    if not isinstance(output, dict):
        return f"output is {type(output).__name__}, not a dict"
    for name, width in (("position", 3), ("quaternion", 4), ("scene", SCENES)):
        if wrong := _is(output.get(name), (batch, width), name):
            return wrong
    return None


_SAME_MAP = Probe(lambda c: {"channels": c}, _map, lambda inputs, output: _is(output, tuple(inputs[0].shape)))

PROBES: dict[str, Probe] = {
    "pooling": Probe(lambda c: {"channels": c}, _map, lambda inputs, output: _is(output, tuple(inputs[0].shape[:2]))),
    "block": _SAME_MAP,
    "context": _SAME_MAP,
    "encoder_attention": Probe(
        lambda c: {"dim": DIM, "heads": HEADS, "ffn_dim": 2 * DIM, "dropout": 0.0, "depth": 2},
        _tokens,
        lambda inputs, output: _is(output, tuple(inputs[0].shape)),
    ),
    "position_encoding": Probe(lambda c: {"dim": DIM, "heads": HEADS}, lambda c, batch, size: size, _position, batched=False),
    "attention_loss": Probe(lambda c: {}, _states, lambda inputs, output: _is(output, ()), batched=False),
    "masking": Probe(lambda c: {}, _attention, _mask, batched=False),
    "relation": Probe(lambda c: {"channels": c}, _regions, lambda inputs, output: _is(output, tuple(inputs[0].shape)), batched=False),
    "region_features": Probe(
        lambda c: {"channels": c, "size": BINS, "stride": STRIDE},
        _pooled,
        lambda inputs, output: _is(output, (len(inputs[1]), inputs[0].shape[1], BINS, BINS)),
        batched=False,
    ),
    "duplicate_removal": Probe(
        lambda c: {"channels": c}, _scored, lambda inputs, output: _is(output, tuple(inputs[2].shape)), batched=False
    ),
    "detector": Probe(lambda c: {"channels": (c // 2, c), "classes": CLASSES}, _maps, _detected, batched=False),
    "model": Probe(lambda c: {"channels": (c // 2, c), "scenes": SCENES}, _features, _pose),
}
