"""Measures of attention on tensors. Each treats the images of a batch separately and returns (B, ...) values."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Region = Literal["sphere-max", "sphere-mean", "sphere-p95", "nearest"]


def entropy(weights: Tensor) -> Tensor:
    """Attention entropy -sum_j A_j ln A_j of distributions over the last axis, with 0 ln 0 = 0.

    Zhai et al., ICML 2023. Weights that are no distribution (dot-product affinities, sigmoid gates) are
    renormalised by the sum of their absolute values; :func:`is_distribution` tells.

    Args:
        weights: (..., N).

    Returns:
        (...), in nats: 0 for a single attended key, ln N for uniform attention; NaN where all weights are 0.
    """
    positive = weights.abs()
    share = positive / positive.sum(-1, keepdim=True)
    return -torch.xlogy(share, share).sum(-1)


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
    return (q.mean(dim=-2) - k.mean(dim=-2)).norm(dim=-1)


def attended_keys(attention: Tensor) -> Tensor:
    """Attention each key receives, averaged over heads and queries; (B, heads, N_q, N_k) -> (B, N_k)."""
    return attention.mean(dim=(1, 2))


def attended_share(received: Tensor) -> Tensor:
    """Share of keys that receive more than 1/N of the attention, by more than rounding; (B, N) received by each key -> (B,)."""
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

    The pairs are never formed: the mean cosine is the squared length of the mean unit vector.

    Args:
        vectors: (B, N, D).

    Returns:
        (B,): 0 if all vectors point the same way (query-independent attention), 0.5 if unrelated.
    """
    unit = torch.nn.functional.normalize(vectors.double(), dim=-1)
    return ((1 - unit.mean(dim=-2).square().sum(dim=-1)) / 2).float()


def within_category_mass(attention: Tensor, labels: Tensor, ignore: int = 255) -> tuple[Tensor, Tensor]:
    """Attention that labelled queries give to keys of their own category, and what uniform attention would give.

    Args:
        attention: (B, heads, N, N).
        labels: (B, N) category of each position; ``ignore`` marks positions without one.

    Returns:
        Two tensors (B,): the mass, and its random baseline; NaN for an image without labels.
    """
    valid = labels != ignore
    same = (labels[:, :, None] == labels[:, None, :]) & valid[:, :, None] & valid[:, None, :]
    rows = attention.abs().mean(dim=1)
    mass = (rows * same).sum(-1) / rows.sum(-1)
    counted = valid.sum(-1)
    return (mass * valid).sum(-1) / counted, (same.float().mean(-1) * valid).sum(-1) / counted


def boundary(labels: Tensor, width: int = 5, ignore: int = 255) -> Tensor:
    """Pixels within ``width`` of a border between two categories; (B, H, W) integers -> (B, H, W) of 0 and 1."""
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
        spatial: (B, H, W) non-negative map.
        edges: (B, H, W) share of border pixels at the map's resolution.

    Returns:
        Two tensors (B,).
    """
    flat, border = spatial.flatten(1).abs(), edges.flatten(1)
    return (flat * border).sum(-1) / flat.sum(-1), border.mean(-1)
