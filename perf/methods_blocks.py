"""Each block against its authors' equations written down plainly, and against the OpenMMLab class, forward and backward.

    python perf/methods_blocks.py                                # all methods, 14, 56 and 128 px maps, d 64, 256 and 1024
    python perf/methods_blocks.py -m dnl-pairwise-only -d 512 -e 56
    python perf/methods_blocks.py --device cuda

The plain side projects every position and makes every matrix, as the formulas say, and uses the same parameters. The
sides run in turns; a row gives the other side's best time over ours and our peak memory over its. Sizes whose plain
side needs more than --memory GB are left out.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable

import torch
from paired import Pair, pair
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.catalog import Filling, load_catalog
from harness.catalog.plugins import discover, load_plugins

ELEMENTS = 2**20
"""Batches are as large as fit this many values (at least one image)."""

Plain = Callable[[nn.Module, Tensor], Tensor]


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
        y = y + (mu_q @ k.transpose(1, 2) * m.unary_scale).softmax(-1) @ g
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


PLAIN: dict[str, Plain] = {
    "se": se,
    "cbam": cbam,
    "gather-excite": gather_excite,
    "non-local-embedded-gaussian": non_local,
    "non-local-gaussian": non_local,
    "non-local-dot-product": non_local,
    "non-local-concatenation": non_local,
    "simplified-non-local": simplified_non_local,
    "gc-block": gc_block,
    "gc-block-mul": gc_block,
    "self-attention-joint": dnl,
    "dnl-pairwise-only": dnl,
    "dnl-unary-only": dnl,
    "dnl-add-shared-key": dnl,
    "dnl-add-disentangled-key": dnl,
    "psa-polarized-parallel": psa,
    "psa-polarized-sequential": psa,
    "psa-polarized-parallel-paper": psa,
    "psa-polarized-sequential-paper": psa,
    "lr-net-local-relation": local_relation,
}
PAIRWISE = [name for name in PLAIN if name.startswith(("non-local", "dnl", "self"))]
"""The methods whose formula has an N x N matrix."""


def openmmlab_class(name: str, module: nn.Module, channels: int) -> nn.Module | None:
    """OpenMMLab's own module with the same weights, where there is one that computes the same."""
    if name == "non-local-embedded-gaussian":
        from mmcv.cnn import NonLocal2d

        other, renamed = NonLocal2d(channels, use_scale=False), {}
    elif name in ("non-local-gaussian", "non-local-dot-product"):  # mmcv's concatenation fails in its backward pass
        from mmcv.cnn import NonLocal2d

        other, renamed = NonLocal2d(channels, mode=module.mode), {}
    elif name.startswith("gc-block"):
        from mmcv.cnn import ContextBlock

        other, renamed = ContextBlock(channels, 1 / 16, fusion_types=(f"channel_{'mul' if name.endswith('mul') else 'add'}",)), {}
    elif name == "se":
        from mmpretrain.models.utils import SELayer

        other, renamed = SELayer(channels, squeeze_channels=max(channels // 16, 1)), {}
    elif name == "dnl-add-disentangled-key":
        from mmseg.models.decode_heads.dnl_head import DisentangledNonLocal2d

        other = DisentangledNonLocal2d(in_channels=channels, temperature=0.05, mode="embedded_gaussian")
        renamed = {"theta": "theta.conv", "phi": "phi.conv", "g": "g.conv", "out": "conv_out.conv", "mask": "conv_mask"}
    else:
        return None
    state = {f"{renamed.get(key.split('.')[0], key.split('.')[0])}.{key.split('.', 1)[1]}": v for key, v in module.state_dict().items()}
    other.load_state_dict(state)
    return other


def _step(run: Callable[[Tensor], Tensor], module: nn.Module, x: Tensor, weights: Tensor) -> Callable[[], None]:
    def step() -> None:
        for parameter in module.parameters():
            parameter.grad = None
        x.grad = None
        run(x).backward(weights)

    return step


def compare(name: str, filling: Filling, channels: int, edge: int, device: str, seconds: float) -> tuple[Pair, Pair | None]:
    """Ours against plain, and against OpenMMLab's class where there is one.

    Raises:
        SystemExit: two sides disagree.
    """
    torch.manual_seed(0)
    module = slots.build(filling.plugin, filling.params, channels=channels)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    module = module.to(device).eval()
    batch = max(1, min(16, ELEMENTS // (channels * edge**2)))
    x = (0.3 * torch.randn(batch, channels, edge, edge, device=device)).requires_grad_()
    weights = torch.randn_like(x)
    twin = copy.deepcopy(module)
    sides: list[tuple[nn.Module, Callable[[Tensor], Tensor]]] = [(twin, lambda x: PLAIN[name](twin, x))]
    other = openmmlab_class(name, module, channels)
    if other is not None:
        other = other.to(device).eval()
        sides.append((other, other))
    results = []
    for theirs, run in sides:
        with torch.no_grad():
            gap = (module(x) - run(x)).norm() / (run(x) - x).norm()
        if not gap < 1e-3:
            raise SystemExit(f"{name}: the two sides differ by {gap:.1e} of the change")
        cuda = device.startswith("cuda")
        # seconds per pass there: one pass has no noise worth a second
        least = 1 if name in PAIRWISE and edge > 100 else 3
        results.append(pair(_step(module, module, x, weights), _step(run, theirs, x, weights), cuda=cuda, seconds=seconds, least=least))
    return results[0], results[1] if other is not None else None


def _geometric(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def main() -> None:
    """Print one row per method and size, then the geometric means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--method", action="append", choices=PLAIN)
    parser.add_argument("-d", "--channels", type=int, action="append")
    parser.add_argument("-e", "--edge", type=int, action="append")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=1.0, help="per row and side")
    parser.add_argument("--memory", type=float, default=8.0, help="GB that the plain side may take")
    options = parser.parse_args()

    from harness.openmmlab import setup

    setup()
    torch.set_num_threads(1)
    methods = options.method or list(PLAIN)
    catalog = load_catalog()
    fillings = {name: catalog.methods[name].slots["block"] for name in methods}
    load_plugins({filling.plugin for filling in fillings.values()}, discover())
    print(f"{'method':32}{'d':>6}{'map':>6}{'ours ms':>10}{'plain':>8}{'memory':>8}{'mmlab':>8}{'memory':>8}")
    found: dict[str, list[Pair]] = {}
    for name in methods:
        for edge in options.edge or (14, 56, 128):
            for channels in options.channels or (64, 256, 1024):
                needed = 5 * edge**4 * 4 if name in PAIRWISE else 6 * 49 * channels * edge**2 if name.startswith("lr") else 0
                if needed > options.memory * 2**30:
                    continue
                plain, mmlab = compare(name, fillings[name], channels, edge, options.device, options.seconds)
                found.setdefault(name, []).append(plain)
                theirs = f"{mmlab.speedup:7.2f}x{mmlab.memory:8.2f}" if mmlab else f"{'-':>8}{'-':>8}"
                print(f"{name:32}{channels:6}{edge:6}{plain.ours_ms:10.2f}{plain.speedup:7.2f}x{plain.memory:8.2f}{theirs}", flush=True)
    for title, chosen in (("all methods", methods), ("methods with an N x N matrix", [m for m in methods if m in PAIRWISE])):
        pairs = [p for m in chosen for p in found.get(m, [])]
        if pairs:
            speed, memory = _geometric([p.speedup for p in pairs]), _geometric([p.memory for p in pairs])
            print(f"geometric mean, {title}: {speed:.2f}x as fast, {memory:.2f} of the memory")


if __name__ == "__main__":
    main()
