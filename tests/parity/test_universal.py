"""SimPool's universal formulation: one function, the columns of the paper's table as its arguments, is each of the poolings.

Psomas et al., "Keep It SimPool", ICCV 2023, algorithm 1 and table 1. What a column names (a linear layer, an MLP) is the plugin's own
layer; how the columns are put together is written here once, in float64, and shares nothing with the plugins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from cases import subject
from torch import Tensor, nn

SHAPE = 5, 3
"""Of the feature map; the columns of CBAM, gather-excite and HOW need to know where a position is."""

Map = Callable[..., Tensor]


def identity(x: Tensor, *_: Any) -> Tensor:
    return x


def replace(z: Tensor, _u: Any) -> Tensor:
    return z


def uniform(s: Tensor | None, x: Tensor) -> Tensor:
    """1_p / p."""
    return x.new_full((len(x), 1), 1 / len(x))


def pooled(v: Tensor, a: Tensor, f: float | tuple[Map, Map]) -> Tensor:
    """f⁻¹(f(V) A), (k, d), for a function and its inverse, or f_α by α: a power of (1 - α) / 2, of which α → -∞ is the maximum."""
    if f == -math.inf:
        return torch.where(a.T[..., None] > 0, v, -math.inf).amax(1)
    if isinstance(f, tuple):
        return f[1](a.T @ f[0](v))
    gamma = (1 - f) / 2
    return (a.T @ v**gamma) ** (1 / gamma) if gamma != 1 else a.T @ v


def universal(
    x: Tensor,
    *,
    iterations: int = 1,
    u0: Map = lambda x: None,
    phi_q: Map = identity,
    phi_k: Map = identity,
    s: Map = lambda q, k: None,
    a: Map = uniform,
    phi_v: Map = identity,
    f: float | tuple[Map, Map] = -1.0,
    phi_x: Map = identity,
    phi_u: Map = replace,
    tasks: Map = lambda u: u.amax(0),
) -> Tensor:
    """A pooled vector (d,) of the positions (p, d) of one image.

    Args:
        tasks: for a task that wants one vector, that of the k ones.
    """
    u = u0(x)
    for _ in range(iterations):
        q = phi_q(u)
        scores = s(q, phi_k(x, u))
        weights = a(scores, x)
        v = phi_v(x, q)
        z = pooled(v, weights, f)
        x = phi_x(x, v, weights)
        u = phi_u(z, u)
    return tasks(u)


def dot(q: Tensor, k: Tensor) -> Tensor:
    return k @ q.T


def far(q: Tensor, k: Tensor) -> Tensor:
    return -((k[:, None] - q) ** 2).sum(-1)


def grid(x: Tensor) -> Tensor:
    """(p, d) -> (1, d, H, W)."""
    return x.T.reshape(1, -1, *SHAPE)


def tokens(x: Tensor) -> Tensor:
    return x[0].flatten(1).T


def heads_of(v: Tensor, count: int) -> Tensor:
    """g_m: (p, d) -> (p, m, d / m)."""
    return v.unflatten(-1, (count, -1))


def gap(_m: nn.Module) -> dict[str, Any]:
    return {}


def max_pool(_m: nn.Module) -> dict[str, Any]:
    return {"a": lambda s, x: x.new_ones(len(x), 1), "f": -math.inf}


def gem(m: Any) -> dict[str, Any]:
    return {"phi_v": lambda x, _: x.clamp(min=1e-6), "f": 1 - 2 * m.layer.p.item()}


def lse(m: Any) -> dict[str, Any]:
    r = float(m.r)
    return {"f": (lambda v: torch.exp(r * v), lambda z: torch.log(z) / r)}


def how(m: Any) -> dict[str, Any]:
    return {
        "a": lambda _, x: torch.sqrt((x**2).sum(1) + 1e-10)[:, None],  # the released square root of diag(XᵀX)
        "phi_v": lambda x, _: m.project(tokens(F.avg_pool2d(grid(x), 3, 1, 1, count_include_pad=False))),
        "phi_u": lambda z, _: z / (z.norm() + m.eps),
    }


def otk(m: Any) -> dict[str, Any]:
    def sinkhorn(s: Tensor, x: Tensor) -> Tensor:
        kernel, v = torch.exp(s / m.eps), x.new_ones(s.shape[1])
        for _ in range(m.rounds):
            u = s.shape[1] / len(x) / (kernel @ v)
            v = 1 / (kernel.T @ u)
        return u[:, None] * kernel * v

    return {"u0": lambda _: m.references, "s": dot, "a": sinkhorn}


def k_means(m: Any) -> dict[str, Any]:
    def start(x: Tensor) -> Tensor:
        chosen = [x.mean(0)]
        for _ in range(m.k):
            nearest = torch.stack([((x - c) ** 2).sum(1) for c in (chosen if len(chosen) == 1 else chosen[1:])]).amin(0)
            chosen.append(x[nearest.argmax()])
        return torch.stack(chosen[1:])

    def hard(s: Tensor, _x: Tensor) -> Tensor:
        own = F.one_hot(s.argmax(1), m.k).double()
        return own / own.sum(0)  # none of its own: not a number, and the centre stays

    return {"u0": start, "s": far, "a": hard, "iterations": m.iterations, "phi_u": lambda z, u: torch.where(z.isnan(), u, z)}


def slot_attention(m: Any) -> dict[str, Any]:
    def shares(s: Tensor, x: Tensor) -> Tensor:
        own = (s / math.sqrt(x.shape[1])).softmax(1) + m.eps
        return own / own.sum(0)

    def recurrent(z: Tensor, u: Tensor) -> Tensor:
        u = m.gru(z, u)
        return u + m.mlp(m.norm_mlp(u))

    return {
        "u0": lambda _: (m.mu + m.sigma.exp() * m.noise)[0],
        "phi_q": lambda u: m.query(m.norm_slots(u)),
        "phi_k": lambda x, _: m.key(m.norm_input(x)),
        "s": dot,
        "a": shares,
        "phi_v": lambda x, _: m.value(m.norm_input(x)),
        "phi_u": recurrent,
        "iterations": m.iterations,
    }


def se(m: Any) -> dict[str, Any]:
    squeeze, excite = m.conv1.conv, m.conv2.conv
    return {
        "u0": lambda x: x.mean(0),
        "phi_q": lambda u: excite(squeeze(u[None, :, None, None]).relu()).sigmoid().flatten(),
        "phi_v": lambda x, q: x * q,  # X diag(q)
    }


def cbam(m: Any) -> dict[str, Any]:
    def spatial(s: Tensor, _x: Tensor) -> Tensor:
        return m.norm(m.conv(grid(s))).sigmoid().flatten()[:, None]

    def gated(x: Tensor, q: Tensor) -> Tensor:
        return x * q

    kept: list[Tensor] = []

    def shaped(q: Tensor, x: Tensor) -> Tensor:
        kept[:] = [gated(x, q)]
        return torch.stack([kept[0].amax(1), kept[0].mean(1)], dim=1)

    return {
        "u0": lambda x: torch.stack([x.mean(0), x.amax(0)]),
        "phi_q": lambda u: m.mlp(u).sum(0).sigmoid(),
        "s": shaped,
        "a": lambda s, x: spatial(s, x) / len(x),  # V diag(a), and its mean
        "phi_v": gated,
    }


def gather_excite(m: Any) -> dict[str, Any]:
    def gate(x: Tensor) -> Tensor:
        return F.interpolate(m.mlp(m.gather(grid(x))), SHAPE, mode="nearest").sigmoid()

    return {"u0": identity, "phi_q": lambda u: tokens(gate(u)), "phi_v": lambda x, q: x * q}


def attended(m: Any, token: Tensor, x: Tensor) -> dict[str, Any]:
    """Multi-head attention of a class token that sees itself, too."""
    count = m.heads

    def every(x: Tensor, u: Tensor) -> Tensor:
        return torch.cat([u, x])

    def scores(q: Tensor, k: Tensor) -> Tensor:
        return torch.einsum("phe,he->ph", heads_of(k, count), heads_of(q, count)[0]) / math.sqrt(q.shape[1] / count)

    return {
        "u0": lambda _: token,
        "phi_q": m.query,
        "phi_k": lambda x, u: m.key(every(x, u)),
        "s": scores,
        "a": lambda s, _: s.softmax(0),
        "phi_v": lambda x, _: m.value(every(x, token)),
        # one head's vector of each of the m: what g_m⁻¹ puts together
        "phi_u": lambda z, _: torch.cat([heads_of(z, count)[h, h] for h in range(count)])[None],
    }


def vit_cls(m: Any) -> dict[str, Any]:
    return attended(m.attention, m.token[0], m.token[0])


def cait(m: Any) -> dict[str, Any]:
    (block,) = m.blocks
    token = m.token[0]
    inside = attended(block.attention, block.norm_attention(token), token)

    def mapped(z: Tensor, u: Tensor) -> Tensor:
        u = token + block.scale_attention * block.project(inside["phi_u"](z, u))
        return m.norm(u + block.scale_mlp * block.mlp(block.norm_mlp(u)))

    normed = block.norm_attention
    return inside | {
        "phi_k": lambda x, u: inside["phi_k"](normed(x), u),
        "phi_v": lambda x, q: inside["phi_v"](normed(x), q),
        "phi_u": mapped,
    }


def simpool(m: Any) -> dict[str, Any]:
    def above(x: Tensor, _q: Tensor) -> Tensor:
        v = m.norm(x)
        return v - v.min() + m.eps

    return {
        "u0": lambda x: x.mean(0, keepdim=True),
        "phi_q": m.query,
        "phi_k": lambda x, _: m.key(m.norm(x)),
        "s": dot,
        "a": lambda s, x: (s / math.sqrt(x.shape[1])).softmax(0),
        "phi_v": above,
        "f": 1 - 2 * m.gamma,
    }


ROWS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "gap": gap,
    "max-pool": max_pool,
    "gem": gem,
    "lse": lse,
    "how": how,
    "otk": otk,
    "k-means": k_means,
    "slot-attention": slot_attention,
    "se": se,
    "cbam": cbam,
    "gather-excite": gather_excite,
    "vit-cls": vit_cls,
    "cait-class-attention": cait,
    "simpool": simpool,
}
"""Method -> the columns of its row in which it differs from the plain mean."""


@pytest.mark.parametrize("name", ROWS)
def test_the_universal_function_is_the_method(name, openmmlab):
    torch.manual_seed(0)
    module = subject(name, 16).build().double().eval()
    with torch.no_grad():
        for key, value in module.named_parameters():
            if key not in ("layer.p", "r"):
                value += 0.1 * torch.randn_like(value)
        maps = torch.randn(2, 16, *SHAPE, dtype=torch.float64)
        columns = ROWS[name](module)
        found = torch.stack([universal(tokens(image[None]), **columns) for image in maps])
        out = module(maps)
    expected = out.mean((-2, -1)) if out.ndim == 4 else out
    assert found.shape == expected.shape
    assert (found - expected).norm() <= 1e-9 * expected.norm()


def test_no_row_is_the_plain_mean_by_mistake(openmmlab):
    x = torch.randn(15, 16, dtype=torch.float64)
    torch.manual_seed(0)
    for name, row in ROWS.items():
        module = subject(name, 16).build().double().eval()
        with torch.no_grad():
            for value in module.parameters():
                value += 0.1 * torch.randn_like(value)
            same = torch.allclose(universal(x, **row(module)), x.mean(0))
        assert same == (name == "gap"), name
