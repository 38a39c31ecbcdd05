"""A method and its peers, ready to run on the same input."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from harness import slots
from harness.catalog import Method
from peers import PEERS, WITHOUT_PEER
from peers.encoder import InLayer, OnStates

SLOTS = ("pooling", "block", "context", "encoder_attention", "position_encoding", "attention_loss", "masking")
HEAD = 64
"""Width of an attention head of the encoder layers."""

Run = Callable[[Tensor], Tensor]


def missing(methods: dict[str, Method]) -> list[str]:
    """Ids of the working methods of the measured slots that have neither a peer nor a reason for having none."""
    known = {peer.method or row for row, peer in PEERS.items()} | set(WITHOUT_PEER)
    return [m.id for m in methods.values() if m.state == "works" and m.slot in SLOTS and m.id not in known]


@dataclass
class Case:
    """Sides that compute the same, each with parameters of its own."""

    x: Tensor
    """The input; requires grad unless the method is a masking strategy."""
    sides: dict[str, Run]
    """``ours``, ``plain`` and, where OpenMMLab ships the method, ``openmmlab``."""
    modules: dict[str, Any]

    def step(self, side: str) -> Callable[[], None]:
        """One pass of a side: forward and, where there are gradients, backward."""
        run, module = self.sides[side], self.modules[side]
        if not self.x.requires_grad:
            return partial(run, self.x)
        with torch.no_grad():
            weights = torch.randn_like(run(self.x))

        def step() -> None:
            run(self.x).backward(weights)
            # now and not before the next pass, whose peak would otherwise be less by what this one left
            for tensor in (self.x, *module.parameters()):
                tensor.grad = None

        return step


def _part(plugin: str, params: dict[str, Any], d: int) -> nn.Module:
    sizes = {"dim": d, "heads": max(d // HEAD, 1)}
    if slots.registry().get(plugin).slot == "encoder_attention":
        sizes |= {"ffn_dim": d, "dropout": 0.0, "depth": 6}
    elif plugin == "learnable-pe":
        params = {"entries": 130, **params}
    return slots.build(plugin, params, **sizes)


def _module(row: str, method: Method, d: int) -> Any:
    fillings, own = method.slots, dict(PEERS[row].params)
    if method.slot in ("encoder_attention", "position_encoding"):
        layer = fillings.get("encoder_attention")
        place = fillings.get("position_encoding")
        return InLayer(
            _part(layer.plugin, {**layer.params, **own}, d) if layer else _part("encoder-layer", {}, d),
            _part(place.plugin, place.params, d) if place else _part("learnable-pe", {}, d),
        )
    filling = fillings[method.slot]
    if method.slot == "masking":
        return slots.build(filling.plugin, {**filling.params, **own})
    if method.slot == "attention_loss":
        return OnStates(slots.build(filling.plugin, filling.params))
    return slots.build(filling.plugin, {**filling.params, **own}, channels=d)


def _input(slot: str, d: int, edge: int, batch: int) -> Tensor:
    if slot == "masking":
        return torch.rand(batch, edge**2)
    if slot == "attention_loss":
        return torch.randn(2, 2, batch, max(d // HEAD, 1), edge**2, min(d, HEAD))
    return 0.3 * torch.randn(batch, d, edge, edge)


def build(row: str, method: Method, d: int, edge: int, batch: int, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Case:
    """The sides of one row on a map of ``edge``² positions and width ``d``.

    Parameters start as the method has them, shifted a little, so that none is zero.
    """
    torch.manual_seed(0)
    peer, module = PEERS[row], _module(row, method, d)
    x = _input(method.slot, d, edge, batch).to(device, dtype)
    if method.slot == "masking":
        return Case(x, {"ours": module, "plain": partial(peer.plain, module)}, {"ours": module, "plain": module})
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    module = module.to(device, dtype).eval()
    twin = copy.deepcopy(module)
    sides: dict[str, Run] = {"ours": module, "plain": partial(peer.plain, twin)}
    modules = {"ours": module, "plain": twin}
    if peer.shipped is not None:
        modules["openmmlab"] = peer.shipped(module, d).to(device, dtype).eval()
        sides["openmmlab"] = modules["openmmlab"]
    return Case(x.requires_grad_(), sides, modules)


def differences(case: Case, row: str) -> dict[str, float]:
    """How far each side is from ours: the largest relative difference of the output and of every gradient.

    Masks drawn from another stream of random numbers are compared by how many tokens they hide, to a tenth of all: rectangles
    may stop short of their area.
    """
    outputs = {side: run(case.x) for side, run in case.sides.items()}
    if not case.x.requires_grad:
        ours, plain = outputs["ours"].cpu(), outputs["plain"].cpu()
        if PEERS[row].exact:
            return {"plain": float((ours != plain).sum())}
        return {"plain": float(((ours.sum(1) - plain.sum(1)).abs() > 0.1 * ours.shape[1]).sum())}
    weights = torch.randn_like(outputs["ours"])
    found = {}
    ours = _gradients(outputs["ours"], case, "ours", weights)
    for side in list(case.sides)[1:]:
        theirs = _gradients(outputs[side], case, side, weights)
        # parameters of OpenMMLab's modules lie elsewhere and may be joined, so that only x has a gradient to compare
        names = ours if side == "plain" else ("output", "x")
        found[side] = max(_relative(ours[name], theirs[name]) for name in names)
    return found


def _gradients(output: Tensor, case: Case, side: str, weights: Tensor) -> dict[str, Tensor]:
    named = {"x": case.x, **dict(case.modules[side].named_parameters())}
    named = {name: tensor for name, tensor in named.items() if tensor.requires_grad}
    gradients = torch.autograd.grad(output, list(named.values()), weights, allow_unused=True, materialize_grads=True)
    return {"output": output.detach(), **dict(zip(named, gradients, strict=True))}


def _relative(ours: Tensor, theirs: Tensor) -> float:
    # a gradient that the mathematics cancels is rounding on both sides
    return float((ours - theirs).norm() / max(float(theirs.norm()), 1e-6))
