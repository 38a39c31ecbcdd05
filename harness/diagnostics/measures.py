"""Measures of attention on tensors. Each treats the images of a batch separately and returns (B, ...) values."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Region = Literal["sphere-max", "sphere-mean", "sphere-p95", "nearest"]

IGNORED = 255
"""Label of positions without a category."""

_ROWS = 512
"""Rows of an attention matrix that are worked on together, so that it is never copied as a whole."""


def entropy(weights: Tensor) -> Tensor:
    """Attention entropy -sum_j A_j ln A_j of distributions over the last axis, with 0 ln 0 = 0.

    Zhai et al., ICML 2023. Weights that are no distribution (dot-product affinities, sigmoid gates) are
    renormalised by the sum of their absolute values; :func:`is_distribution` tells.

    Args:
        weights: (..., N).

    Returns:
        (...), in nats: 0 for a single attended key, ln N for uniform attention; NaN where all weights are 0.
    """
    entropies = []
    for rows in torch.split(weights.reshape(-1, weights.shape[-1]), _ROWS):
        share = rows.abs() / rows.abs().sum(-1, keepdim=True)
        entropies.append(-torch.xlogy(share, share).sum(-1))
    return torch.cat(entropies).view(weights.shape[:-1])


COLLAPSED = 0.05
"""Share of the entropy of uniform attention under which attention is called collapsed: it looks at next to one key."""


def is_distribution(weights: Tensor, tolerance: float = 1e-2) -> bool:
    """Whether all rows over the last axis are non-negative and sum to one."""
    return bool((weights >= -tolerance).all() and (weights.sum(-1) - 1).abs().max() <= tolerance)


def purity(q: Tensor, k: Tensor) -> dict[Region, Tensor]:
    """Purity of the query region, |Q̂ ∩ Q| / |Q̂| (Lee et al., NeurIPS 2024), by every rule for the region.

    1.0: the region holds queries only; 0.5: queries and keys are mixed. How the region is drawn was not
    published, so there are several rules: a sphere around the mean query with the largest (``sphere-max``, the
    default elsewhere), mean or 95th-percentile distance of a query as its radius, or the N of the 2N tokens
    nearest to the mean query (``nearest``).

    Args:
        q: (B, heads, N, d_h) queries, unscaled.
        k: (B, heads, N, d_h) keys.

    Returns:
        Rule -> (B, heads).
    """
    centre = q.mean(dim=-2, keepdim=True)
    to_q = (q - centre).norm(dim=-1)
    to_k = (k - centre).norm(dim=-1)
    count = q.shape[-2]
    # stable, so that ties (all tokens equal) go to the queries and give a defined value
    order = torch.cat([to_q, to_k], dim=-1).argsort(dim=-1, stable=True)[..., :count]
    return {
        "sphere-max": _inside(to_q, to_k, to_q.amax(dim=-1, keepdim=True)),
        "sphere-mean": _inside(to_q, to_k, to_q.mean(dim=-1, keepdim=True)),
        "sphere-p95": _inside(to_q, to_k, to_q.quantile(0.95, dim=-1, keepdim=True)),
        "nearest": (order < count).float().mean(dim=-1),
    }


def purity_of_largest_sphere(q: Tensor, k: Tensor) -> Tensor:
    """The ``sphere-max`` rule of :func:`purity` alone, without sorting; (B, heads, N, d_h) -> (B, heads)."""
    centre = q.mean(dim=-2, keepdim=True)
    to_q = (q - centre).norm(dim=-1)
    return _inside(to_q, (k - centre).norm(dim=-1), to_q.amax(dim=-1, keepdim=True))


def _inside(to_q: Tensor, to_k: Tensor, radius: Tensor) -> Tensor:
    """Share of queries among the tokens within a radius; NaN where there are none (the mean of equal distances may round down)."""
    queries = (to_q <= radius).sum(dim=-1)
    return queries / (queries + (to_k <= radius).sum(dim=-1))


def qk_distance(q: Tensor, k: Tensor) -> Tensor:
    """Distance between the mean query and the mean key, ||q̄ - k̄||₂; (B, heads, N, d_h) -> (B, heads)."""
    distance: Tensor = (q.mean(dim=-2) - k.mean(dim=-2)).norm(dim=-1)
    return distance


def attended_keys(attention: Tensor) -> Tensor:
    """Attention each key receives, averaged over heads and queries; (B, heads, N_q, N_k) -> (B, N_k)."""
    return attention.mean(dim=(1, 2))


def attended_share(received: Tensor) -> Tensor:
    """Share of keys that receive more than 1/N of the attention, by more than rounding; (..., N) received by each key -> (...)."""
    mean = received.mean(dim=-1, keepdim=True)
    return (received > mean + 1e-5 * mean.abs()).float().mean(dim=-1)


def pairwise_share(weights: Tensor) -> Tensor:
    """Share of the attention's variation over keys that differs from query to query; the rest is unary.

    With u_j = mean_i w_ij, mean_i Var_j(w_ij) = Var_j(u_j) + mean_i Var_j(w_ij - u_j): the two parts add up
    exactly, since w_ij - u_j vanishes on average over queries. It is the split of the logits into a pairwise and
    a unary term of Yin et al. (DNL, ECCV 2020), carried over to the weights, where it needs neither the logits
    nor one softmax for both terms.

    Args:
        weights: (B, heads, N_q, N_k), the sum of all terms; rows need not sum to one.

    Returns:
        (B, heads): 0 if all queries attend alike (global context), 1 if no key is preferred by all; NaN for weights that are
        uniform up to rounding.
    """
    total = weights.var(dim=-1, correction=0).mean(dim=-1)
    unary = weights.mean(dim=-2).var(dim=-1, correction=0)
    uniform = total <= (1e-5 * weights.abs().mean(dim=(-2, -1))).square()
    return (1 - unary / total).clamp(0, 1).masked_fill(uniform, math.nan)


def cosine_distance(vectors: Tensor) -> Tensor:
    """Mean over all pairs of (1 - cos)/2 between vectors (Cao et al., ICCVW 2019: GCNet's analysis).

    The pairs are never formed: the mean cosine is the squared length of the mean unit vector. A vector of zeros has no
    direction and is left out.

    Args:
        vectors: (B, N, D).

    Returns:
        (B,): 0 if all vectors point the same way (query-independent attention), 0.5 if unrelated; NaN where fewer than two
        are left.
    """
    total = torch.zeros(vectors.shape[0], vectors.shape[2], dtype=torch.float64, device=vectors.device)
    count = torch.zeros(vectors.shape[0], dtype=torch.float64, device=vectors.device)
    for rows in torch.split(vectors, _ROWS, dim=1):
        rows = rows.double()
        length = rows.norm(dim=-1, keepdim=True)
        total += (rows / length.masked_fill(length == 0, 1)).sum(dim=1)
        count += (length[..., 0] > 0).sum(dim=1)
    distance = (1 - (total / count[:, None]).square().sum(dim=-1)) / 2
    return distance.masked_fill(count < 2, math.nan).float()


def map_cosine_distance(attention: Tensor) -> Tensor:
    """How little the maps of different queries resemble each other: :func:`cosine_distance` of the rows, heads averaged.

    Args:
        attention: (B, heads, N, M).

    Returns:
        (B,).
    """
    return cosine_distance(attention.mean(dim=1))


def within_category_mass(attention: Tensor, labels: Tensor, ignore: int = IGNORED) -> tuple[Tensor, Tensor]:
    """Attention that labelled queries give to keys of their own category, and what uniform attention would give.

    Args:
        attention: (B, heads, N, N).
        labels: (B, N) category of each position; ``ignore`` marks positions without one.

    Returns:
        Two tensors (B,): the mass, and its random baseline, over the labelled queries that attend to anything; NaN for an
        image without such.
    """
    valid = labels != ignore
    mass, random, counted = (torch.zeros(len(labels), device=labels.device) for _ in range(3))
    queries = zip(torch.split(attention, _ROWS, dim=2), torch.split(labels, _ROWS, dim=1), torch.split(valid, _ROWS, dim=1), strict=True)
    for weights, categories, labelled in queries:
        rows = weights.abs().mean(dim=1)
        total = rows.sum(-1)
        used = labelled & (total > 0)
        same = (categories[:, :, None] == labels[:, None, :]) & valid[:, None, :]
        mass += ((rows * same).sum(-1) / total).masked_fill(~used, 0).sum(-1)
        random += same.float().mean(-1).masked_fill(~used, 0).sum(-1)
        counted += used.sum(-1)
    return mass / counted, random / counted


def boundary(labels: Tensor, width: int = 5, ignore: int = IGNORED) -> Tensor:
    """The pixels on either side of a border between two categories, dilated by a window of ``width`` x ``width`` (odd).

    (B, H, W) integers -> (B, H, W) of 0 and 1. Width 5 makes a band of six pixels along a straight border.
    """
    edge = torch.zeros_like(labels, dtype=torch.bool)
    for axis in (1, 2):
        first, second = labels.narrow(axis, 0, labels.shape[axis] - 1), labels.narrow(axis, 1, labels.shape[axis] - 1)
        differs = (first != second) & (first != ignore) & (second != ignore)
        edge.narrow(axis, 0, labels.shape[axis] - 1).logical_or_(differs)
        edge.narrow(axis, 1, labels.shape[axis] - 1).logical_or_(differs)
    radius = width // 2
    grown = torch.nn.functional.max_pool2d(edge[:, None].float(), 2 * radius + 1, stride=1, padding=radius)
    return grown[:, 0]


def boundary_mass(spatial: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """Share of a map that lies on category borders, and what a uniform map would give.

    Args:
        spatial: (B, M, H, W) maps; values count by their size.
        edges: (B, 1, H, W) share of border pixels at the maps' resolution.

    Returns:
        Two tensors, (B, M) and (B, 1).
    """
    flat, border = spatial.flatten(2).abs(), edges.flatten(2)
    return (flat * border).sum(-1) / flat.sum(-1), border.mean(-1)
