"""Learned duplicate removal."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from proofs import slow
from proofs.duplicate_removal import CLASSES, overlap
from proofs.proof import EquationProof, H
from proofs.relation import agree, boxes, build, regions, sample
from proofs.relation.object_relation import gathered, weights
from proofs.slow import State

WIDTH, KEYS, RELATIONS, THRESHOLDS = 128, 1024, 16, (0.5, 0.6, 0.7, 0.8, 0.9)
SMALL = {"width": 8, "keys": 16, "relations": 2, "first": 4}


def probabilities(features: Tensor, places: Tensor, order: list[int], state: State) -> list[Tensor]:
    """σ(...) of the detections of a class, best first."""
    u = []
    for rank, i in enumerate(order):
        wave = torch.tensor([f(rank / 1000 ** (2 * j / 1024)) for f in (math.sin, math.cos) for j in range(512)], dtype=torch.double)
        u.append(slow.linear(state, "region", features[i]) + slow.linear(state, "rank", wave))
    relations = SMALL["relations"]
    factors = [weights(state, "relation.geometric.weight", places[order], r) for r in range(relations)]
    others = gathered(torch.stack(u), state, "relation.", relations, factors.__getitem__)
    return [slow.sigmoid(slow.linear(state, "keep", slow.relu(a + b))) for a, b in zip(u, others, strict=True)]


def best(scores: Tensor) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: -scores[i].item())[: SMALL["first"]]


def removed(features: Tensor, places: Tensor, scores: Tensor, state: State, merge: str) -> Tensor:
    columns = []
    for k in range(scores.shape[1]):
        order = best(scores[:, k])
        column = [scores.new_zeros(())] * len(scores)
        for i, p in zip(order, probabilities(features, places[:, k], order, state), strict=True):
            column[i] = scores[i, k] * (sum(p) / len(p) if merge == "mean" else max(p))
        columns.append(torch.stack(column))
    return torch.stack(columns, 1)


def to_keep(places: Tensor, objects: Tensor, threshold: float) -> set[int]:
    """Of the detections of a class, best first: the first of those that belong to an object and overlap it more than the threshold."""
    kept = set()
    for g in range(len(objects)):
        for i, place in enumerate(places):
            found = [overlap(place, o).item() for o in objects]
            if found[g] > threshold and found.index(max(found)) == g:
                kept.add(i)
                break
    return kept


def loss(features: Tensor, places: Tensor, scores: Tensor, objects: Tensor, labels: Tensor, state: State) -> Tensor:
    total = 0
    for k in range(scores.shape[1]):
        order = best(scores[:, k])
        for t, threshold in enumerate(THRESHOLDS):
            kept = to_keep(places[order, k], objects[labels == k], threshold)
            for rank, (i, p) in enumerate(zip(order, probabilities(features, places[:, k], order, state), strict=True)):
                product = scores[i, k] * p[t]
                total = total - (4 * torch.log(product + 1e-8) if rank in kept else torch.log(1 - product + 1e-8))
    return total / (SMALL["first"] * len(THRESHOLDS))


def equals_its_equations() -> None:
    features, places, scores = sample(6, 8).requires_grad_(), boxes(6, 2), sample(6, 2, seed=3).sigmoid().requires_grad_()
    for merge in ("mean", "max"):
        module = build("orm-duplicate-removal", channels=8, merge=merge, **SMALL)
        agree(
            module,
            lambda module=module: module(features, places, scores),
            lambda state, merge=merge: removed(features, places, scores, state, merge),
            features,
            scores,
        )
    # objects where detections are, two of one class over each other, and one that nothing finds
    objects = torch.cat([places[[0, 1, 3], [0, 0, 1]] + 1.5, places[0, :1] + 3, boxes(1, seed=9) + 500])
    labels = torch.tensor([0, 0, 1, 0, 1])
    module = build("orm-duplicate-removal", channels=8, **SMALL)
    agree(
        module,
        lambda: sum(module.loss(features, places, scores, objects, labels).values()),
        lambda state: loss(features, places, scores, objects, labels, state),
        features,
        scores,
    )


def flops(d: int, n: int) -> int:
    """All regions are embedded, the best hundred of each class related."""
    r = min(regions(n), 100)
    linear = WIDTH * (2 * KEYS + WIDTH + len(THRESHOLDS)) * CLASSES + 1024 * WIDTH
    pairs = (KEYS + WIDTH + 64 * RELATIONS) * CLASSES
    return 2 * (regions(n) * d * WIDTH + r * linear + r * r * pairs)


PROOFS = {
    "orm-duplicate-removal": EquationProof(
        equation=equals_its_equations,
        flops=flops,
        offers={
            "attention": (RELATIONS, H, H),
            "q": (RELATIONS, H, KEYS // RELATIONS),
            "k": (RELATIONS, H, KEYS // RELATIONS),
            "boxes": (H, 4),
        },
        sets=CLASSES,
        rebuilt="test_regions: the scores follow from the relations of each class",
    )
}
