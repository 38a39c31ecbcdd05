"""Plain forms of the pooling methods: every token projected, as the papers print them and the authors' codes do."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from peers.peer import Peer


def _tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def lse(m: nn.Module, x: Tensor) -> Tensor:
    top = F.adaptive_max_pool2d(x, 1)
    return (top + torch.log(torch.exp(m.r * (x - top)).mean((2, 3), keepdim=True)) / m.r).flatten(1)


def how(m: nn.Module, x: Tensor) -> Tensor:
    lengths = (x.square().sum(1, keepdim=True) + 1e-10).sqrt()
    smooth = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    z = (F.conv2d(smooth, m.project.weight[..., None, None], m.project.bias) * lengths).sum((2, 3))
    return z / (z.norm(dim=1, keepdim=True) + 1e-6)


def k_means(m: nn.Module, x: Tensor) -> Tensor:
    x = _tokens(x)
    centres = torch.bmm(m.init(x.detach()), x)
    for _ in range(m.iterations):
        hard = F.one_hot(torch.cdist(centres, x).argmin(1), m.k).transpose(1, 2).to(x.dtype)
        members = hard.sum(-1, keepdim=True)
        centres = torch.where(members > 0, torch.bmm(hard, x) / members.clamp_min(1), centres)
    return centres.amax(1)


def otk(m: nn.Module, x: Tensor) -> Tensor:
    x = _tokens(x)
    scores = x @ m.references.T
    tokens, k = scores.shape[1:]
    u, v = x.new_zeros(len(x), tokens, 1), x.new_zeros(len(x), 1, k)
    for _ in range(m.rounds):
        u = m.eps * (math.log(k / tokens) - torch.logsumexp((scores + u + v) / m.eps, 2, keepdim=True)) + u
        v = -m.eps * torch.logsumexp((scores + u + v) / m.eps, 1, keepdim=True) + v
    return torch.bmm(((scores + u + v) / m.eps).exp().transpose(1, 2), x).amax(1)


def slot_attention(m: nn.Module, x: Tensor) -> Tensor:
    x = m.norm_input(_tokens(x))
    keys, values = m.key(x), m.value(x)
    current = (m.mu + m.sigma.exp() * m.noise).expand(len(x), -1, -1)
    for _ in range(m.iterations):
        queries = m.query(m.norm_slots(current))
        a = (torch.einsum("bid,bjd->bij", queries, keys) * x.shape[-1] ** -0.5).softmax(1) + m.eps
        means = torch.einsum("bjd,bij->bid", values, a / a.sum(-1, keepdim=True))
        current = m.gru(means.flatten(0, 1), current.flatten(0, 1)).view_as(current)
        current = current + m.mlp(m.norm_mlp(current))
    return current.amax(1)


def _class_attention(m: nn.Module, u: Tensor) -> Tensor:
    images, tokens, d = u.shape
    q = m.query(u[:, :1]).view(images, 1, m.heads, -1).transpose(1, 2) * (d // m.heads) ** -0.5
    k, v = (project(u).view(images, tokens, m.heads, -1).transpose(1, 2) for project in (m.key, m.value))
    return ((q @ k.transpose(2, 3)).softmax(-1) @ v).transpose(1, 2).reshape(images, 1, d)


def vit_cls(m: nn.Module, x: Tensor) -> Tensor:
    x = _tokens(x)
    return _class_attention(m.attention, torch.cat((m.token.expand(len(x), -1, -1), x), 1)).squeeze(1)


def cait_class_attention(m: nn.Module, x: Tensor) -> Tensor:
    x = _tokens(x)
    token = m.token.expand(len(x), -1, -1)
    for block in m.blocks:
        u = block.norm_attention(torch.cat((token, x), 1))
        token = token + block.scale_attention * block.project(_class_attention(block.attention, u))
        token = token + block.scale_mlp * block.mlp(block.norm_mlp(token))
    return m.norm(torch.cat((token, x), 1))[:, 0]


def simpool(m: nn.Module, x: Tensor) -> Tensor:
    x = _tokens(x)
    v = m.norm(x)
    q, k = m.query(x.mean(1, keepdim=True)), m.key(v)
    a = (q @ k.transpose(1, 2) * x.shape[-1] ** -0.5).softmax(-1)
    if m.gamma is None:
        return (a @ v).squeeze(1)
    low = v.amin((1, 2), keepdim=True)
    return (a @ (v - low + m.eps).pow(m.gamma)).pow(1 / m.gamma).squeeze(1)


def _shipped_average(_module: nn.Module, _channels: int) -> nn.Module:
    from mmpretrain.models.necks import GlobalAveragePooling

    return GlobalAveragePooling()


PEERS = {
    "gap": Peer(lambda m, x: F.adaptive_avg_pool2d(x, 1).flatten(1), _shipped_average, same=True),
    "max-pool": Peer(lambda m, x: F.adaptive_max_pool2d(x, 1).flatten(1), same=True),
    "gem (simpool's)": Peer(
        lambda m, x: F.lp_pool2d(x, m.p, x.shape[2:]).flatten(1), method="gem", params={"flavour": "simpool", "p": 2.0}
    ),
    "lse": Peer(lse),
    "how": Peer(how),
    "k-means": Peer(k_means),
    "otk": Peer(otk),
    "slot-attention": Peer(slot_attention),
    "vit-cls": Peer(vit_cls),
    "cait-class-attention": Peer(cait_class_attention),
    "simpool": Peer(simpool),
    "simpool (γ 1.25)": Peer(simpool, method="simpool", params={"gamma": 1.25}),
    "simpool (no γ)": Peer(simpool, method="simpool", params={"gamma": None}),
}
