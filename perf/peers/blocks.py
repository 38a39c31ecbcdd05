"""Plain forms of the blocks: every position projected and every matrix made, as the formulas say."""

from __future__ import annotations

import math

import torch
from mmcv.cnn import ContextBlock, NonLocal2d
from torch import Tensor, nn
from torch.nn import functional as F

from peers.peer import Peer


def se(m: nn.Module, x: Tensor) -> Tensor:
    squeezed = F.relu(m.conv1.conv(F.adaptive_avg_pool2d(x, 1)))
    return x * m.conv2.conv(squeezed).sigmoid()


def cbam(m: nn.Module, x: Tensor) -> Tensor:
    average, top = (pool(x, 1).flatten(1) for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d))
    u = x * (m.mlp(average) + m.mlp(top)).sigmoid()[..., None, None]
    pair = torch.cat([u.max(1, keepdim=True).values, u.mean(1, keepdim=True)], dim=1)
    return u * m.norm(m.conv(pair)).sigmoid()


def gather_excite(m: nn.Module, x: Tensor) -> Tensor:
    return x * F.interpolate(m.mlp(m.gather(x)), size=x.shape[2:]).sigmoid()


def _projected(x: Tensor, *convs: nn.Conv2d) -> list[Tensor]:
    return [conv(x).flatten(2).transpose(1, 2) for conv in convs]


def non_local(m: nn.Module, x: Tensor) -> Tensor:
    if m.mode == "gaussian":
        (g,) = _projected(x, m.g.conv)
        q = k = x.flatten(2).transpose(1, 2)
    else:
        q, k, g = _projected(x, m.theta.conv, m.phi.conv, m.g.conv)
    if m.mode == "concatenation":
        w_q, w_k = m.concat_project.conv.weight.view(2, -1)
        weights = F.relu((q @ w_q).unsqueeze(2) + (k @ w_k).unsqueeze(1)) / k.shape[1]
    else:
        logits = q @ k.transpose(1, 2)
        weights = logits / k.shape[1] if m.mode == "dot_product" else logits.softmax(-1)
    y = (weights @ g).transpose(1, 2).unflatten(2, x.shape[2:])
    return x + m.conv_out.conv(y)


def _context(m: nn.Module, x: Tensor) -> Tensor:
    attention = m.conv_mask(x).flatten(2).softmax(-1)
    return (x.flatten(2) @ attention.transpose(1, 2)).unsqueeze(-1)


def gc_block(m: nn.Module, x: Tensor) -> Tensor:
    context = _context(m, x)
    return x + m.channel_add_conv(context) if m.channel_add_conv is not None else x * m.channel_mul_conv(context).sigmoid()


def simplified_non_local(m: nn.Module, x: Tensor) -> Tensor:
    return x + m.channel_add_conv(_context(m, x))


def dnl(m: nn.Module, x: Tensor) -> Tensor:
    q, k, g = _projected(x, m.theta, m.phi, m.g)
    mu_q = q.mean(1, keepdim=True)
    y = 0
    if m.terms == "joint":
        y = (q @ k.transpose(1, 2) * m.scale).softmax(-1) @ g
    elif m.terms != "unary-only":
        y = ((q - mu_q) @ (k - k.mean(1, keepdim=True)).transpose(1, 2) * m.scale).softmax(-1) @ g
    if m.terms == "add-disentangled-key":
        y = y + m.mask(x).flatten(2).softmax(-1) @ g
    elif m.terms in ("unary-only", "add-shared-key"):
        y = y + (mu_q @ k.transpose(1, 2)).softmax(-1) @ g
    y = y.expand_as(g).transpose(1, 2).unflatten(2, x.shape[2:])
    return x + m.out(y)


def psa(m: nn.Module, x: Tensor) -> Tensor:
    def channel(x: Tensor) -> Tensor:
        attention = m.channel_query(x).flatten(2).softmax(-1)
        context = m.channel_value(x).flatten(2) @ attention.transpose(1, 2)
        return m.up(context.squeeze(-1)).sigmoid()[..., None, None]

    def spatial(x: Tensor) -> Tensor:
        query = F.adaptive_avg_pool2d(m.spatial_query(x), 1).flatten(2).transpose(1, 2)
        keys = m.spatial_value(x).flatten(2)
        if m.variant == "official_s":
            logits = query @ keys.softmax(-1)
        elif m.variant == "official_p":
            logits = (query @ keys).softmax(-1)
        else:
            logits = query.softmax(-1) @ keys
        return logits.sigmoid().unflatten(2, x.shape[2:])

    if m.variant.endswith("_s"):
        z = x * channel(x)
        return z * spatial(z)
    return x * channel(x) + x * spatial(x)


def local_relation(m: nn.Module, x: Tensor) -> Tensor:
    batch, _, height, width = x.shape
    window, half = m.kernel_size**2, m.kernel_size // 2
    q, k = m.query(x), m.key(x)
    keys = F.unfold(k, m.kernel_size, padding=half).view(batch, -1, window, height, width)
    inside = F.unfold(torch.ones_like(x[:1, :1]), m.kernel_size, padding=half).view(1, 1, window, height, width)
    logits = -(q.unsqueeze(2) - keys).square() + m.geometry(m.offsets).t()[None, :, :, None, None]
    weights = logits.masked_fill(inside == 0, -math.inf).softmax(2)
    values = F.unfold(x, m.kernel_size, padding=half).view(batch, weights.shape[1], -1, window, height, width)
    return m.out((weights.unsqueeze(2) * values).sum(3).flatten(1, 2))


def _with_weights(theirs: nn.Module, ours: nn.Module, renamed: dict[str, str] | None = None) -> nn.Module:
    state = {}
    for key, value in ours.state_dict().items():
        part, rest = key.split(".", 1)
        state[f"{(renamed or {}).get(part, part)}.{rest}"] = value
    theirs.load_state_dict(state)
    return theirs


def shipped_se(module: nn.Module, channels: int) -> nn.Module:
    from mmpretrain.models.utils import SELayer

    return _with_weights(SELayer(channels, squeeze_channels=max(channels // 16, 1)), module)


def shipped_non_local(module: nn.Module, channels: int) -> nn.Module:
    return _with_weights(NonLocal2d(channels, use_scale=False, mode=module.mode), module)


def shipped_context(module: nn.Module, channels: int) -> nn.Module:
    fusion = "add" if module.channel_add_conv is not None else "mul"
    return _with_weights(ContextBlock(channels, 1 / 16, fusion_types=(f"channel_{fusion}",)), module)


def shipped_dnl(module: nn.Module, channels: int) -> nn.Module:
    from mmseg.models.decode_heads.dnl_head import DisentangledNonLocal2d

    theirs = DisentangledNonLocal2d(in_channels=channels, temperature=0.05, mode="embedded_gaussian")
    names = {"theta": "theta.conv", "phi": "phi.conv", "g": "g.conv", "out": "conv_out.conv", "mask": "conv_mask"}
    return _with_weights(theirs, module, names)


PEERS = {
    "se": Peer(se, shipped_se, same=True),
    "cbam": Peer(cbam, same=True),
    "gather-excite": Peer(gather_excite, same=True),
    "non-local-embedded-gaussian": Peer(non_local, shipped_non_local, matrices=4, dense=4),
    "non-local-gaussian": Peer(non_local, shipped_non_local, matrices=4, dense=4),
    "non-local-dot-product": Peer(non_local, shipped_non_local, matrices=4, dense=4),
    "non-local-concatenation": Peer(non_local, matrices=4, dense=4),  # mmcv's fails in its backward pass
    "simplified-non-local": Peer(simplified_non_local),
    "gc-block": Peer(gc_block, shipped_context),
    "gc-block-mul": Peer(gc_block, shipped_context),
    "self-attention-joint": Peer(dnl, matrices=4, dense=4),
    "dnl-pairwise-only": Peer(dnl, matrices=4, dense=4),
    "dnl-unary-only": Peer(dnl),
    "dnl-add-shared-key": Peer(dnl, matrices=4, dense=4),
    "dnl-add-disentangled-key": Peer(dnl, shipped_dnl, matrices=4, dense=4),
    "psa-polarized-parallel": Peer(psa),
    "psa-polarized-sequential": Peer(psa),
    "psa-polarized-parallel-paper": Peer(psa),
    "psa-polarized-sequential-paper": Peer(psa),
    "lr-net-local-relation": Peer(local_relation, window=3 * 49),
}
