"""Each pooling method against its authors' equations written down plainly, forward and backward.

    python perf/methods_pooling.py                       # all methods, 14, 56 and 128 px maps, d 64, 256 and 1024
    python perf/methods_pooling.py -m simpool -d 512     # one method
    python perf/methods_pooling.py --device cuda

The plain side projects every token, as the formulas and the authors' code do, and uses the same parameters. Both sides
run in turns; a row gives the plain side's best time over ours and our peak memory over its.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable

import torch
from paired import pair
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.catalog.plugins import discover, load_plugins

ELEMENTS = 2**21
"""Batches are as large as fit this many values (at least one image)."""


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


PLAIN: dict[str, tuple[str, dict, Callable[[nn.Module, Tensor], Tensor]]] = {
    "gap": ("gap", {}, lambda m, x: F.adaptive_avg_pool2d(x, 1).flatten(1)),
    "max-pool": ("max-pool", {}, lambda m, x: F.adaptive_max_pool2d(x, 1).flatten(1)),
    "gem (simpool)": ("gem", {"flavour": "simpool", "p": 2.0}, lambda m, x: F.lp_pool2d(x, m.p, x.shape[2:]).flatten(1)),
    "lse": ("lse", {}, lse),
    "how": ("how", {}, how),
    "k-means": ("k-means", {}, k_means),
    "otk": ("otk", {}, otk),
    "slot-attention": ("slot-attention", {}, slot_attention),
    "vit-cls": ("vit-cls", {}, vit_cls),
    "cait-class-attention": ("cait-class-attention", {}, cait_class_attention),
    "simpool": ("simpool", {}, simpool),
    "simpool γ 1.25": ("simpool", {"gamma": 1.25}, simpool),
    "simpool no γ": ("simpool", {"gamma": None}, simpool),
}
"""Row -> plugin, its parameters, and the plain form."""


def compare(row: str, channels: int, edge: int, device: str, seconds: float) -> tuple[float, float]:
    """Speed-up and memory ratio of one row at one size.

    Raises:
        SystemExit: the two sides disagree.
    """
    plugin, params, formula = PLAIN[row]
    torch.manual_seed(0)
    module = slots.build(plugin, params, channels=channels).to(device).eval()
    batch = max(1, min(32, ELEMENTS // (channels * edge**2)))
    x = torch.randn(batch, channels, edge, edge, device=device, requires_grad=True)
    weights = torch.randn(batch, channels, device=device)
    exact, small = copy.deepcopy(module).double(), x.detach()[:, :, :14, :14].double()
    if not torch.allclose(exact(small), formula(exact, small), rtol=1e-6, atol=1e-6):
        raise SystemExit(f"{row} at d {channels}: the two sides differ")

    def step(function: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        def run() -> None:
            x.grad = None
            module.zero_grad(set_to_none=True)
            (function(x) * weights).sum().backward()

        run()
        return run

    result = pair(step(module), step(lambda x: formula(module, x)), cuda=device != "cpu", seconds=seconds)
    print(
        f"| {row:<20} | {edge:>4} | {channels:>5} | {batch:>5} | {result.ours_ms:>9.2f} | {result.plain_ms:>9.2f} "
        f"| {result.speedup:>7.2f} | {result.ours_mb:>8.1f} | {result.memory:>6.2f} |",
        flush=True,
    )
    return result.speedup, result.memory


def main() -> None:
    """Print one row per method and size, then the geometric means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--method", action="append", choices=sorted(PLAIN), metavar="ROW")
    parser.add_argument("-e", "--edge", action="append", type=int)
    parser.add_argument("-d", "--channels", action="append", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5, help="per row")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    rows = options.method or list(PLAIN)
    load_plugins({PLAIN[row][0] for row in rows}, discover())
    print("| method               | edge |     d | batch |   ours ms |  plain ms | speedup |  ours MB | memory |")
    print("|----------------------|------|-------|-------|-----------|-----------|---------|----------|--------|")
    for row in rows:
        found = [
            compare(row, channels, edge, options.device, options.seconds)
            for edge in options.edge or (14, 56, 128)
            for channels in options.channels or (64, 256, 1024)
        ]
        speed, memory = (math.exp(sum(map(math.log, values)) / len(values)) for values in zip(*found, strict=True))
        print(f"| {row:<20} | geometric mean                                | {speed:>7.2f} |          | {memory:>6.2f} |")


if __name__ == "__main__":
    main()
