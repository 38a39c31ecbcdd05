"""What heads trained together could save: poolings with a linear classifier over features in memory, five seeds in turn and at once.

    python perf/heads.py [--epochs 6] [--channels 64] [--edge 8] [-m METHOD ...]

All figures are CPU seconds of one thread, in turns in one process, over made-up features. *Plain loop*: torch alone, one seed. *Together*:
five seeds with their parameters stacked, each with batches of its own order, one pass of ``torch.func.vmap`` and one optimiser for all.
*At once*: forward and backward of one head on five batches as one, in the place of one after another: what any form of training together
could save, since nothing is stacked there. Both are ratios, above 1 where company pays.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from features import POOLINGS
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

SEEDS, SIZE, CLASSES = 5, 64, 10


class Head(nn.Module):
    """A pooling and a linear classifier: (B, C, H, W) -> (B, classes)."""

    def __init__(self, plugin: str, params: dict[str, Any], channels: int, seed: int):
        super().__init__()
        from harness.benchmarks.parts.pooling import PluginPooling

        torch.manual_seed(seed)
        self.neck = PluginPooling(plugin, channels, params)
        self.fc = nn.Linear(channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.neck((x,))[0])
        return logits


def optimiser(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=0.002, weight_decay=0.01)


def orders(seed: int, epoch: int, count: int) -> tuple[Tensor, ...]:
    return torch.randperm(count, generator=torch.Generator().manual_seed(1000 * seed + epoch)).split(SIZE)


def alone(head: Head, seed: int, epochs: int, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Train one; its parameters."""
    steps = optimiser(head.parameters())
    for epoch in range(epochs):
        for rows in orders(seed, epoch, len(y)):
            loss = F.cross_entropy(head(x[rows]), y[rows])
            steps.zero_grad()
            loss.backward()
            steps.step()
    return dict(head.named_parameters())


def together(heads: list[Head], epochs: int, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Train all at once; their parameters, stacked."""
    parameters, buffers = stack_module_state(heads)
    one = copy.deepcopy(heads[0]).to("meta")
    steps = optimiser(parameters.values())

    def loss_of(own: Any, held: Any, some: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(one, (own, held), (some,)), labels)

    losses = vmap(loss_of, randomness="different")
    for epoch in range(epochs):
        for rows in map(torch.stack, zip(*(orders(seed, epoch, len(y)) for seed in range(len(heads))), strict=True)):
            loss = losses(parameters, buffers, x[rows], y[rows]).sum()
            steps.zero_grad()
            loss.backward()
            steps.step()
    return parameters


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def at_once(head: Head, x: Tensor, rounds: int = 12) -> float:
    """CPU time of five batches one after another over that of all five as one; the median of the rounds."""

    def passes(size: int, times: int) -> None:
        for _ in range(times):
            head(x[torch.randperm(len(x))[:size]]).sum().backward()
            head.zero_grad()

    passes(SIZE, SEEDS)
    passes(SEEDS * SIZE, 1)
    return statistics.median(seconds(lambda: passes(SIZE, SEEDS))[0] / seconds(lambda: passes(SEEDS * SIZE, 1))[0] for _ in range(rounds))


def company(make: Callable[[int], Head], epochs: int, x: Tensor, y: Tensor) -> str:
    """Five in turn over five together, and whether the first has the same parameters in company and alone, bit by bit."""
    try:
        together([make(seed) for seed in range(SEEDS)], 1, x, y)
    except Exception as error:
        return f"– ({type(error).__name__}) | – | –"
    turns = 0.0
    first: dict[str, Tensor] = {}
    for seed in range(SEEDS):
        spent, found = seconds(lambda seed=seed: alone(make(seed), seed, epochs, x, y))  # type: ignore[misc]
        turns, first = turns + spent, first or found
    spent, five = seconds(lambda: together([make(seed) for seed in range(SEEDS)], epochs, x, y))
    single = together([make(0)], epochs, x, y)
    same = [all(torch.equal(five[name][0], other) for name, other in first.items())]
    same.append(all(torch.equal(five[name][0], single[name][0]) for name in single))
    return " | ".join([f"{turns / spent:.2f}", *("yes" if each else "no" for each in same)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--edge", type=int, default=8)
    parser.add_argument("--images", type=int, default=1700)
    parser.add_argument("-m", "--methods", action="append", choices=POOLINGS)
    options = parser.parse_args()
    from harness.benchmarks import register
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover, load_plugins

    register.setup()
    torch.set_num_threads(1)
    drawn = torch.Generator().manual_seed(0)
    x = torch.randn(options.images, options.channels, options.edge, options.edge, generator=drawn).relu()
    y = torch.randint(CLASSES, (options.images,), generator=drawn)
    print("| method | plain loop (s) | at once | together | same bits as alone | as in a company of one |\n|---|---|---|---|---|---|")
    for name in options.methods or POOLINGS:
        slots = load_catalog().methods[name].slots
        filling = slots.get("pooling") or slots["block"]
        load_plugins({filling.plugin}, discover())

        def make(seed: int, plugin: str = filling.plugin, params: dict[str, Any] = filling.params) -> Head:
            return Head(plugin, dict(params), options.channels, seed).train()

        plain, _ = seconds(lambda make=make: alone(make(0), 0, options.epochs, x, y))  # type: ignore[misc]
        print(f"| {name} | {plain:.2f} | {at_once(make(0), x):.2f} | {company(make, options.epochs, x, y)} |", flush=True)


if __name__ == "__main__":
    main()
