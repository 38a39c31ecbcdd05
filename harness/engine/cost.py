"""What a model costs: parameters, floating-point operations, latency and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import quantiles
from typing import Any, cast

import torch
from mmengine.runner import Runner, set_random_seed
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.engine.memory import peak_mb
from harness.outcome import Cost

_WARM_UP = 3
_SPREAD = 0.2
"""Of the middle half of the passes, as a share of their median: from here on a latency is said to be uncertain."""

_sdpa_flops: Callable[..., Any] = sdpa_flop_count  # torch gives it no types

CPU_ATTENTION = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_args, **_kwargs: _sdpa_flops(q, k, v)}
"""For ``FlopCounterMode(custom_mapping=...)``: torch counts every fused attention kernel but the one for CPUs."""


def measure(model: nn.Module, batch: Any, device: str, budget: float = 0.05) -> tuple[Cost, list[str]]:
    """Cost of one forward pass of one image, and a note where its latency is uncertain.

    FLOPs count convolutions, matrix products and fused attention (a multiply-add is two operations). Memory is that of
    parameters, buffers and what the pass makes, see :func:`harness.engine.memory.peak_mb`. Latency is the median of ten passes,
    or as many as ``budget`` seconds allow up to 100, after three to warm up. A frozen backbone is computed, not looked up.

    Args:
        batch: a batch of one sample, as the test dataloader yields it.
    """

    preprocess = cast("Callable[..., dict[str, Any]]", model.data_preprocessor)

    def whole() -> Any:
        data = preprocess(batch, False)
        return model(data["inputs"], data.get("data_samples"), mode="tensor")

    with _inferring(model):
        with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter:
            whole()
        memory = peak_mb(_tensors(model), whole, device)
        data = preprocess(batch, False)
        times = _times(lambda: model(data["inputs"], data.get("data_samples"), mode="tensor"), device, budget)
    low, middle, high = quantiles(times, n=4)
    cost = Cost(
        params=sum(parameter.numel() for parameter in model.parameters()),
        flops=float(counter.get_total_flops()),
        latency_ms=middle,
        peak_memory_mb=memory,
    )
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if high - low <= _SPREAD * middle and load <= cores + 0.5:  # this trial is part of the load, and rounding
        return cost, []
    return cost, [
        f"the latency is uncertain, since the machine was busy (load {load:.1f} on {cores} cores): "
        f"half of {len(times)} passes took {low:.3g} to {high:.3g} ms"
    ]


def training_memory(runner: Runner, device: str) -> float:
    """MB that one training step holds at most: parameters, gradients, the optimizer's state and what the step makes.

    The first images of the training set are taken, as many as a batch has; features of a frozen backbone are looked up. The
    model is not the same afterwards.
    """
    loader, model, optimizer = runner.train_dataloader, runner.model, runner.optim_wrapper
    set_random_seed(0)
    batch = loader.collate_fn([loader.dataset[i] for i in range(min(loader.batch_sampler.batch_size, len(loader.dataset)))])
    model.train()
    optimizer.zero_grad(set_to_none=True)
    optimizer.initialize_count_status(model, 0, -1)
    state = [value for part in optimizer.optimizer.state.values() for value in part.values() if isinstance(value, Tensor)]
    return peak_mb([*_tensors(model), *state], lambda: model.train_step(batch, optim_wrapper=optimizer), device)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


@contextmanager
def _inferring(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    frozen = [module for module in model.modules() if isinstance(module, FrozenBackbone)]
    for module in frozen:
        module.caching = False
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
        for module in frozen:
            module.caching = True


def _times(forward: Callable[[], Any], device: str, budget: float) -> list[float]:
    """Milliseconds of each pass."""
    synchronize: Callable[[], object] = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    for _ in range(_WARM_UP):
        forward()
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 10 or (time.perf_counter() - started < budget and len(times) < 100):
        synchronize()
        begin = time.perf_counter()
        forward()
        synchronize()
        times.append(1000 * (time.perf_counter() - begin))
    return times
