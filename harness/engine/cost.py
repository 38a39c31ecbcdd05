"""What a model costs: parameters, floating-point operations, latency and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from statistics import quantiles
from typing import Any, cast

import torch
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.engine.hooks import seed_generators
from harness.engine.memory import peak_mb
from harness.engine.quiet import quiet
from harness.outcome import SPREAD, Cost

_WARM_UP = 3
_WARM_SECONDS = 0.2
"""Besides, on a GPU, whose clock rises with its work."""

_sdpa_flops: Callable[..., Any] = sdpa_flop_count  # torch gives it no types

CPU_ATTENTION = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_args, **_kwargs: _sdpa_flops(q, k, v)}
"""For ``FlopCounterMode(custom_mapping=...)``: torch counts every fused attention kernel but the one for CPUs."""


def measure(model: nn.Module, batch: Any, device: str, budget: float = 0.02) -> tuple[Cost, list[str]]:
    """Cost of one forward pass of one image, and a note where its latency is uncertain.

    FLOPs count convolutions, matrix products and fused attention (a multiply-add is two operations), as a CPU computes them.
    Memory is that of parameters, buffers and what the pass makes, see :func:`harness.engine.memory.peak_mb`. Latency is the median of
    ten passes, or as many as ``budget`` seconds allow up to 100, after three to warm up; on a CPU of its thread, without the time that
    others have the core, on a GPU by CUDA events, while other trials there wait. A frozen backbone is computed, not looked up.

    Args:
        batch: a batch of one sample, as the test dataloader yields it.
    """

    preprocess = cast("Callable[..., dict[str, Any]]", model.data_preprocessor)

    def whole() -> Any:
        data = preprocess(batch, False)
        return model(data["inputs"], data.get("data_samples"), mode="tensor")

    with _inferring(model):
        flops = _flops(model, whole, device)
        memory = peak_mb(_tensors(model), whole, device)
        data = preprocess(batch, False)
        with quiet() as alone:
            times = _times(lambda: model(data["inputs"], data.get("data_samples"), mode="tensor"), device, budget)
    low, middle, high = quantiles(times, n=4)
    cost = Cost(
        params=sum(parameter.numel() for parameter in model.parameters()),
        flops=flops,
        latency_ms=middle,
        peak_memory_mb=memory,
    )
    if not alone:
        return cost, ["the latency is uncertain, since other trials on the GPU did not wait"]
    if high - low <= SPREAD * middle:
        return cost, []
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    return cost, [
        f"the latency is uncertain: half of {len(times)} passes took {low:.3g} to {high:.3g} ms (load {load:.1f} on {cores} cores)"
    ]


def training_memory(runner: Runner, device: str) -> float:
    """MB that one training step holds at most: parameters, gradients, the optimizer's state and what the step makes.

    The first images of the training set are taken, as many as a batch has; features of a frozen backbone are looked up. The
    model is not the same afterwards.
    """
    loader, model, optimizer = runner.train_dataloader, runner.model, runner.optim_wrapper
    seed_generators(0)
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
    one = _timed_by_events if device.startswith("cuda") else _timed_by_processor
    warm = time.perf_counter() + (_WARM_SECONDS if device.startswith("cuda") else 0.0)
    for number in count():
        if number >= _WARM_UP and time.perf_counter() >= warm:
            break
        forward()
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 10 or (time.perf_counter() - started < budget and len(times) < 100):
        times.append(one(forward))
    return times


def _timed_by_processor(forward: Callable[[], Any]) -> float:
    """A trial computes on one thread: alone on a core it takes by the clock what it takes of the processor, whoever else wants that."""
    begin = time.thread_time()
    forward()
    return 1000 * (time.thread_time() - begin)


def _timed_by_events(forward: Callable[[], Any]) -> float:
    make: Callable[..., Any] = torch.cuda.Event  # torch gives it no types
    begin, end = make(enable_timing=True), make(enable_timing=True)
    torch.cuda.synchronize()
    begin.record()
    forward()
    end.record()
    torch.cuda.synchronize()
    return float(begin.elapsed_time(end))


def _flops(model: nn.Module, compute: Callable[[], Any], device: str) -> float:
    """Counted on the CPU: kernels of a GPU may want their operands padded, and the model is the same."""
    if device.startswith("cuda"):
        model.to("cpu")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        # a view of a parameter, given to a module, would be asked for the gradient that nobody computes here
        for parameter in trained:
            parameter.requires_grad_(False)
        with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter:
            compute()
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        if device.startswith("cuda"):
            model.to(device)
    return float(counter.get_total_flops())
