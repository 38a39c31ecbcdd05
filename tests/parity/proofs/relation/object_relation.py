"""Object relations and self-attention between regions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from proofs import slow
from proofs.proof import D, EquationProof, H, Offer, Shapes
from proofs.relation import agree, boxes, build, regions, sample
from proofs.slow import State

RELATIONS = 16
OFFERS: Shapes = {"attention": (RELATIONS, H, H), "q": (RELATIONS, H, 1), "k": (RELATIONS, H, 1), "boxes": (H, 4)}
"""Of as many regions as the map has rows."""


def geometry(one: Tensor, other: Tensor, dim: int = 64) -> Tensor:
    """ε of a pair of boxes, one number after the other."""
    (xm, ym, wm, hm), (xn, yn, wn, hn) = (((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0] + 1, b[3] - b[1] + 1) for b in (one, other))
    floor = one.new_tensor(1e-3)
    numbers = (
        torch.log(torch.maximum((xm - xn).abs() / wm, floor)),
        torch.log(torch.maximum((ym - yn).abs() / hm, floor)),
        torch.log(wm / wn),
        torch.log(hm / hn),
    )
    parts = []
    for number in numbers:
        for wave in (torch.sin, torch.cos):
            parts += [wave(100 * number / 1000 ** (8 * i / dim)) for i in range(dim // 8)]
    return torch.stack(parts)


def weights(state: State, name: str, places: Tensor, relation: int) -> list[list[Tensor]]:
    """w_mn of one relation."""
    w, b = state[f"{name}.weight"][relation], state[f"{name}.bias"][relation]
    return [[torch.clamp(slow.relu(w @ geometry(m, n) + b), min=1e-6) for n in places] for m in places]


def gathered(features: Tensor, state: State, prefix: str, relations: int, factors: Any) -> list[Tensor]:
    """What each region gathers: a relation sums whole features, as the authors do, and projects the sum with its rows of W_V."""
    named = {kind: f"{prefix}{kind}" for kind in ("query", "key", "value")}
    queries, keys = ([slow.linear(state, named[kind], f).chunk(relations) for f in features] for kind in ("query", "key"))
    rows, bias = (state[f"{named['value']}.{part}"].chunk(relations) for part in ("weight", "bias"))
    out = []
    for m in range(len(features)):
        parts = []
        for r in range(relations):
            powers = [torch.exp(queries[m][r] @ key[r] / math.sqrt(len(key[r]))) * factors(r)[m][n] for n, key in enumerate(keys)]
            whole = sum(p / sum(powers) * f for p, f in zip(powers, features, strict=True))
            parts.append(rows[r] @ whole + bias[r])
        out.append(torch.cat(parts))
    return out


def module_of_relations(features: Tensor, places: Tensor, state: State, relations: int, geometric: bool) -> Tensor:
    ones = [[1.0] * len(features)] * len(features)
    factors = [weights(state, "geometry.weight", places, r) if geometric else ones for r in range(relations)]
    return features + torch.stack(gathered(features, state, "", relations, factors.__getitem__))


def equals_its_equations(name: str, geometric: bool) -> None:
    for count in (1, 5):
        module, features, places = build(name, channels=8, relations=2), sample(count, 8).requires_grad_(), boxes(count)
        agree(
            module,
            lambda module=module, features=features, places=places: module(features, places),
            lambda state, features=features, places=places: module_of_relations(features, places, state, 2, geometric),
            features,
        )


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    """The output from the map."""
    a = offers[0]["attention"][0]
    return x + (a @ m.value(x).unflatten(-1, (RELATIONS, -1)).transpose(0, 1)).transpose(0, 1).flatten(1)


PROOFS = {
    "region-self-attention": EquationProof(
        equation=lambda: equals_its_equations("region-self-attention", False),
        flops=lambda d, n: 6 * regions(n) * d * d + 4 * regions(n) ** 2 * d,
        offers=OFFERS,
        sets=1,
        rebuilt=rebuilt,
    ),
    "object-relation-module": EquationProof(
        equation=lambda: equals_its_equations("object-relation-module", True),
        flops=lambda d, n: 6 * regions(n) * d * d + 4 * regions(n) ** 2 * d + 2 * 64 * RELATIONS * regions(n) ** 2,
        offers=OFFERS,
        sets=1,
        rebuilt=rebuilt,
    ),
}
assert D == RELATIONS  # so that each relation's queries have one channel
