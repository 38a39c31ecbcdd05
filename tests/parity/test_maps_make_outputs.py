"""The map a method offers is the one it used: the output follows from the map, the values and the method's last layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from cases import CASES
from test_maps import OFFERS, built, observe
from torch import Tensor

Offers = list[dict[str, Tensor]]

ELSEWHERE = {
    "isanet": "test_context.test_interlaced_map_follows_the_groups: its map is a product of two",
    "slot-attention": "test_pooling: the map is that of the last of several rounds",
}


def tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, N, C)."""
    return x.flatten(2).mT


def back(y: Tensor, x: Tensor) -> Tensor:
    """(B, N, C) -> a map of the size of ``x``."""
    return y.mT.unflatten(2, x.shape[2:])


def rows(offer: dict[str, Tensor]) -> Tensor:
    """Weights (B, N, N) or (B, 1, N): pairwise, unary, or the sum of both."""
    unary = offer["map"].flatten(2) if "map" in offer else 0
    return unary + (offer["attention"][:, 0] if "attention" in offer else 0)


def non_local(m: Any, x: Tensor, offers: Offers) -> Tensor:
    return x + m.conv_out(back(rows(offers[0]) @ tokens(m.g(x)), x))


def dnl(m: Any, x: Tensor, offers: Offers) -> Tensor:
    y = rows(offers[0]) @ tokens(m.g(x))
    return x + m.out(back(y.expand(-1, x[0, 0].numel(), -1), x))


def query_independent(m: Any, x: Tensor, offers: Offers) -> Tensor:
    context = (offers[0]["map"] * x).sum((2, 3), keepdim=True)
    return x + m.channel_add_conv(context) if m.channel_add_conv is not None else x * m.channel_mul_conv(context).sigmoid()


def gated(m: Any, x: Tensor, offers: Offers) -> Tensor:
    """By the channels, then by the positions."""
    return x * offers[0]["channel"] * offers[0].get("map", 1)


def gated_in_parallel(m: Any, x: Tensor, offers: Offers) -> Tensor:
    return x * offers[0]["channel"] + x * offers[0]["map"]


def excited(m: Any, x: Tensor, offers: Offers) -> Tensor:
    return x * F.interpolate(offers[0]["map"], x.shape[2:])


def local_relation(m: Any, x: Tensor, offers: Offers) -> Tensor:
    weights = offers[0]["neighbours"]
    groups, window = weights.shape[1], weights.shape[3]
    values = F.unfold(x, m.kernel_size, padding=m.kernel_size // 2).unflatten(1, (groups, -1, window))
    return m.out(torch.einsum("bgmkn,bgnk->bgmn", values, weights).flatten(1, 2).unflatten(2, x.shape[2:]))


def weighted(x: Tensor, offers: Offers) -> Tensor:
    """(B, k, C)."""
    return offers[0]["map"].flatten(2) @ tokens(x)


def gem(m: Any, x: Tensor, offers: Offers) -> Tensor:
    return weighted(x.clamp(min=m.eps) ** m.layer.p, offers)[:, 0] ** (1 / m.layer.p)


def how(m: Any, x: Tensor, offers: Offers) -> Tensor:
    values = m.project(tokens(F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)))
    return F.normalize((offers[0]["map"].flatten(2) @ values)[:, 0], eps=1e-5)


def simpool(m: Any, x: Tensor, offers: Offers) -> Tensor:
    values = m.norm(tokens(x))
    values = values - values.amin((1, 2), keepdim=True) + m.eps
    return (offers[0]["map"].flatten(2) @ values**m.gamma)[:, 0] ** (1 / m.gamma)


def class_attention(m: Any, token: Tensor, values: Tensor, offers: Offers) -> Tensor:
    """What the token attends to, (B, 1, C); its own weight is what the map leaves."""
    a = offers[0]["map"].flatten(2)
    means = a @ values + (1 - a.sum(-1, keepdim=True)) * token
    return (
        torch.stack([m.value(head).unflatten(1, (m.heads, -1))[:, i] for i, head in enumerate(means.unbind(1))], 1).flatten(1).unsqueeze(1)
    )


def vit(m: Any, x: Tensor, offers: Offers) -> Tensor:
    return class_attention(m.attention, m.token, tokens(x), offers)[:, 0]


def cait(m: Any, x: Tensor, offers: Offers) -> Tensor:
    (block,) = m.blocks
    attended = class_attention(block.attention, block.norm_attention(m.token), block.norm_attention(tokens(x)), offers)
    token = m.token + block.scale_attention * block.project(attended)
    return m.norm(token + block.scale_mlp * block.mlp(block.norm_mlp(token)))[:, 0]


def object_context(m: Any, x: Tensor, offers: Offers) -> Tensor:
    context = back(offers[0]["attention"][:, 0] @ tokens(m.attention.value_project(x)), x)
    return m.join(torch.cat([m.attention.out_project(context), x], 1))


def asymmetric(m: Any, x: Tensor, offers: Offers) -> Tensor:
    (block,) = m.context.stages
    values = block.key_downsample(block.value_project(x)).mT
    return m.context.bottleneck(torch.cat([block.out_project(back(offers[0]["attention"][:, 0] @ values, x)), x], 1))


def expectation_maximisation(m: Any, x: Tensor, offers: Offers) -> Tensor:
    z, mid = offers[0]["attention"][:, 0], m.ema_mid_conv(x)
    bases = F.normalize(mid.flatten(2) @ (z / z.sum(1, keepdim=True)), dim=1)
    return F.relu(x + m.ema_out_conv(F.relu((bases @ z.mT).unflatten(2, x.shape[2:]))))


def criss_cross(m: Any, x: Tensor, offers: Offers) -> Tensor:
    for offer in offers:
        x = x + m.cca.gamma(back(offer["attention"][:, 0] @ tokens(m.cca.value_conv(x)), x))
    return x


def dual(m: Any, x: Tensor, offers: Offers) -> Tensor:
    return x + m.pam.gamma(back(offers[0]["attention"][:, 0] @ tokens(m.pam.value_project(x)), x)) + m.cam(x)


def object_regions(m: Any, x: Tensor, offers: Offers) -> Tensor:
    values = tokens(m.attention.value_project(m.gather(x, m.coarse(x))))
    context = m.attention.out_project(back(offers[0]["attention"][:, 0] @ values, x))
    return m.attention.bottleneck(torch.cat([context, x], 1))


def pointwise_spatial(m: Any, x: Tensor, offers: Offers) -> Tensor:
    parts = []
    for i, branch in enumerate((m.collect, m.distribute)):
        small = F.interpolate(branch.reduce(x), scale_factor=0.5, mode="bilinear")
        parts.append(back(offers[0]["attention"][:, i] @ tokens(small), small))
    z = F.interpolate(m.proj(torch.cat(parts, 1)), x.shape[2:], mode="bilinear")
    return m.bottleneck(torch.cat([x, z], 1))


def encoder_layer(m: Any, x: Tensor, offers: Offers) -> Tensor:
    a = offers[0]["attention"]
    values = m.attention.value(m.norm1(x)).unflatten(-1, (a.shape[1], -1)).transpose(1, 2)
    x = x + m.residual_scale * m.attention.out((a @ values).transpose(1, 2).flatten(2))
    return x + m.residual_scale * m.feed_forward(m.norm2(x))


REBUILT: dict[str, Callable[[Any, Tensor, Offers], Tensor]] = {
    **{name: non_local for name in OFFERS if name.startswith("non-local")},
    **{name: dnl for name in OFFERS if name.startswith(("dnl", "self-attention"))},
    **dict.fromkeys(("simplified-non-local", "gc-block", "gc-block-mul"), query_independent),
    **dict.fromkeys(("se", "cbam", "psa-polarized-sequential", "psa-polarized-sequential-paper"), gated),
    **dict.fromkeys(("psa-polarized-parallel", "psa-polarized-parallel-paper"), gated_in_parallel),
    "gather-excite": excited,
    "lr-net-local-relation": local_relation,
    "gap": lambda m, x, offers: weighted(x, offers)[:, 0],
    "gem": gem,
    "how": how,
    **dict.fromkeys(("k-means", "otk"), lambda m, x, offers: weighted(x, offers).amax(1)),
    "vit-cls": vit,
    "cait-class-attention": cait,
    "simpool": simpool,
    "ocnet": object_context,
    "ann": asymmetric,
    "emanet": expectation_maximisation,
    "ccnet": criss_cross,
    "danet": dual,
    "ocrnet": object_regions,
    "psanet": pointwise_spatial,
    **{name: encoder_layer for name, (slot, _) in CASES.items() if slot == "encoder_attention" and name in OFFERS},
}


@pytest.fixture(scope="module", autouse=True)
def _toolboxes(openmmlab):
    """All plugins can be imported."""


def test_every_map_is_checked():
    assert sorted([*REBUILT, *ELSEWHERE]) == sorted(OFFERS)


@pytest.mark.parametrize("name", REBUILT)
def test_output_follows_from_the_map(name):
    module, inputs = built(name)
    with torch.no_grad():
        (output,), offers = observe(module, inputs)
        torch.testing.assert_close(REBUILT[name](module, inputs[0], offers), output, rtol=1e-4, atol=1e-4)
