"""The pooling methods as their papers print them: one image and one token at a time, every token projected, in float64.

Each function takes a map (B, d, H, W), the plugin's state dict and its parameters, and returns (B, d). Nothing is
folded, fused or shared with the plugins.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

State = dict[str, Tensor]


def _tokens(x: Tensor) -> list[list[Tensor]]:
    return [[image[:, i, j] for i in range(x.shape[2]) for j in range(x.shape[3])] for image in x]


def _per_image(pool: Callable[[list[Tensor]], Tensor], x: Tensor) -> Tensor:
    return torch.stack([pool(tokens) for tokens in _tokens(x)])


def _linear(state: State, name: str, v: Tensor) -> Tensor:
    out = state[f"{name}.weight"] @ v
    return out + state[f"{name}.bias"] if f"{name}.bias" in state else out


def _norm(state: State, name: str, v: Tensor, eps: float) -> Tensor:
    centred = v - v.sum() / len(v)
    return centred / torch.sqrt((centred * centred).sum() / len(v) + eps) * state[f"{name}.weight"] + state[f"{name}.bias"]


def _softmax(scores: list[Tensor]) -> list[Tensor]:
    top = max(s.item() for s in scores)
    powers = [torch.exp(s - top) for s in scores]
    return [p / sum(powers) for p in powers]


def _reduce(vectors: list[Tensor], how: str) -> Tensor:
    stacked = torch.stack(vectors)
    return stacked.max(0).values if how == "max" else sum(vectors) / len(vectors)


def gap(x: Tensor, state: State) -> Tensor:
    return _per_image(lambda tokens: sum(tokens) / len(tokens), x)


def max_pool(x: Tensor, state: State) -> Tensor:
    return _per_image(lambda tokens: torch.stack([max(channel) for channel in zip(*tokens, strict=True)]), x)


def gem(x: Tensor, state: State, p: float = 3.0, learnable: bool = True, eps: float = 1e-6, flavour: str = "mmpretrain") -> Tensor:
    if flavour == "simpool":
        return _per_image(lambda tokens: sum(t**p for t in tokens) ** (1 / p), x)
    p = state["layer.p"]
    return _per_image(lambda tokens: (sum(torch.clamp(t, min=eps) ** p for t in tokens) / len(tokens)) ** (1 / p), x)


def lse(x: Tensor, state: State, r: float = 1.0, learnable: bool = False) -> Tensor:
    r = state.get("r", r)

    def pool(tokens: list[Tensor]) -> Tensor:
        top = torch.stack(tokens).max(0).values
        return top + torch.log(sum(torch.exp(r * (t - top)) for t in tokens) / len(tokens)) / r

    return _per_image(pool, x)


def how(x: Tensor, state: State, squared: bool = False, normalize: bool = True, eps: float = 1e-6) -> Tensor:
    height, width = x.shape[2:]
    pooled = []
    for image in x:
        z = 0
        for i in range(height):
            for j in range(width):
                window = [image[:, a, b] for a in range(i - 1, i + 2) for b in range(j - 1, j + 2) if 0 <= a < height and 0 <= b < width]
                length = (image[:, i, j] ** 2).sum()
                length = length if squared else torch.sqrt(length + 1e-10)
                z = z + length * _linear(state, "project", sum(window) / len(window))
        pooled.append(z / (torch.sqrt((z**2).sum()) + eps) if normalize else z)
    return torch.stack(pooled)


def k_means(x: Tensor, state: State, k: int = 3, iterations: int = 3, reduce: str = "max") -> Tensor:
    def pool(tokens: list[Tensor]) -> Tensor:
        def gap_to(token: Tensor, others: list[Tensor]) -> float:
            return min(((token - o) ** 2).sum().item() for o in others)

        chosen = [max(tokens, key=lambda t: gap_to(t, [sum(tokens) / len(tokens)]))]
        while len(chosen) < k:
            chosen.append(max(tokens, key=lambda t: gap_to(t, chosen)))
        centres = chosen
        for _ in range(iterations):
            clusters: list[list[Tensor]] = [[] for _ in range(k)]
            for token in tokens:
                clusters[min(range(k), key=lambda j: ((token - centres[j]) ** 2).sum().item())].append(token)
            centres = [sum(c) / len(c) if c else centre for c, centre in zip(clusters, centres, strict=True)]
        return _reduce(centres, reduce)

    return _per_image(pool, x)


def otk(
    x: Tensor,
    state: State,
    k: int = 3,
    eps: float = 25.0,
    iterations: int = 10,
    similarity: str = "dot",
    balanced: bool = True,
    reduce: str = "max",
) -> Tensor:
    w = state["references"]

    def pool(tokens: list[Tensor]) -> Tensor:
        score = [[t @ r if similarity == "dot" else -((t - r) ** 2).sum() for r in w] for t in tokens]
        kernel = torch.stack([torch.exp(torch.stack(row) / eps) for row in score])
        u, v = torch.ones(len(tokens), dtype=x.dtype), torch.ones(k, dtype=x.dtype)
        for _ in range(iterations):
            if balanced:
                u = (k / len(tokens)) / (kernel @ v)
            v = 1 / (kernel.T @ u)
        plan = u[:, None] * kernel * v
        return _reduce([sum(plan[i, j] * t for i, t in enumerate(tokens)) for j in range(k)], reduce)

    return _per_image(pool, x)


def _gru(state: State, z: Tensor, h: Tensor) -> Tensor:
    inner = (state["gru.weight_ih"] @ z + state["gru.bias_ih"]).chunk(3)
    outer = (state["gru.weight_hh"] @ h + state["gru.bias_hh"]).chunk(3)
    reset, gate = torch.sigmoid(inner[0] + outer[0]), torch.sigmoid(inner[1] + outer[1])
    return (1 - gate) * torch.tanh(inner[2] + reset * outer[2]) + gate * h


def slot_attention(
    x: Tensor, state: State, slots: int = 3, iterations: int = 3, flavour: str = "simpool", eps: float = 1e-8, reduce: str = "max"
) -> Tensor:
    sigma = state["sigma"][0, 0].exp() if flavour == "simpool" else state["sigma"][0, 0]
    d = x.shape[1]

    def pool(tokens: list[Tensor]) -> Tensor:
        normed = [_norm(state, "norm_input", t, 1e-5) for t in tokens]
        keys, values = ([_linear(state, name, t) for t in normed] for name in ("key", "value"))
        current = [state["mu"][0, 0] + sigma * state["noise"][0, j] for j in range(slots)]
        for _ in range(iterations):
            queries = [_linear(state, "query", _norm(state, "norm_slots", s, 1e-5)) for s in current]
            shares = [[a + eps for a in _softmax([q @ key / math.sqrt(d) for q in queries])] for key in keys]
            for j in range(slots):
                total = sum(share[j] for share in shares)
                mean = sum(share[j] / total * v for share, v in zip(shares, values, strict=True))
                slot = _gru(state, mean, current[j])
                hidden = torch.relu(_linear(state, "mlp.0", _norm(state, "norm_mlp", slot, 1e-5)))
                current[j] = slot + _linear(state, "mlp.2", hidden)
        return _reduce(current, reduce)

    return _per_image(pool, x)


def _class_attention(state: State, prefix: str, tokens: list[Tensor], heads: int) -> Tensor:
    query = _linear(state, f"{prefix}query", tokens[0]).chunk(heads)
    keys, values = ([_linear(state, f"{prefix}{name}", t).chunk(heads) for t in tokens] for name in ("key", "value"))
    out = []
    for h in range(heads):
        a = _softmax([query[h] @ key[h] / math.sqrt(len(query[h])) for key in keys])
        out.append(sum(weight * value[h] for weight, value in zip(a, values, strict=True)))
    return torch.cat(out)


def vit_cls(x: Tensor, state: State, heads: int = 4) -> Tensor:
    return _per_image(lambda tokens: _class_attention(state, "attention.", [state["token"][0, 0], *tokens], heads), x)


def cait_class_attention(x: Tensor, state: State, blocks: int = 1, heads: int = 4, layer_scale: float = 1e-5) -> Tensor:
    def pool(tokens: list[Tensor]) -> Tensor:
        token = state["token"][0, 0]
        for n in range(blocks):
            own = f"blocks.{n}."
            normed = [_norm(state, f"{own}norm_attention", t, 1e-6) for t in (token, *tokens)]
            attended = _class_attention(state, f"{own}attention.", normed, heads)
            token = token + state[f"{own}scale_attention"] * _linear(state, f"{own}project", attended)
            hidden = _linear(state, f"{own}mlp.0", _norm(state, f"{own}norm_mlp", token, 1e-6))
            hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
            token = token + state[f"{own}scale_mlp"] * _linear(state, f"{own}mlp.2", hidden)
        return _norm(state, "norm", token, 1e-5)

    return _per_image(pool, x)


def simpool(x: Tensor, state: State, gamma: float | None = 2.0, min_scope: str = "image", beta: bool = False, eps: float = 1e-6) -> Tensor:
    d = x.shape[1]
    values = [[_norm(state, "norm", t, 1e-6) for t in tokens] for tokens in _tokens(x)]
    lowest = min(v.min() for image in values for v in image)
    pooled = []
    for tokens, image in zip(_tokens(x), values, strict=True):
        query = state["query.weight"] @ (sum(tokens) / len(tokens))
        a = _softmax([query @ (state["key.weight"] @ v) / math.sqrt(d) for v in image])
        if gamma is None:
            pooled.append(sum(weight * v for weight, v in zip(a, image, strict=True)))
            continue
        low = lowest if min_scope == "batch" else min(v.min() for v in image)
        z = sum(weight * (v - low + eps) ** gamma for weight, v in zip(a, image, strict=True)) ** (1 / gamma)
        pooled.append(z + state["beta"] if beta else z)
    return torch.stack(pooled)
