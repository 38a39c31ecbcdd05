"""What a model costs: parameters, floating-point operations, latency and peak memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.outcome import Cost


def resident_mb(field: str = "VmRSS") -> float | None:
    """Resident memory of this process in MB (``VmHWM``: its peak); ``None`` where /proc does not tell."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


CPU_ATTENTION = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_args, **_kwargs: sdpa_flop_count(q, k, v)}
"""For ``FlopCounterMode(custom_mapping=...)``: torch counts every fused attention kernel but the one for CPUs."""


def _forward(model: nn.Module, batch: Any) -> Callable[[], Any]:
    data = model.data_preprocessor(batch, False)
    inputs = data["inputs"]
    samples = data.get("data_samples")
    return lambda: model(inputs, samples, mode="tensor")


def measure(model: nn.Module, batch: Any, device: str, budget: float = 0.5) -> Cost:
    """Cost of one forward pass of one image.

    FLOPs count convolutions, matrix products and fused attention (a multiply-add is two operations).
    Latency is the median over repeated passes within ``budget`` seconds, after two warm-up passes. A
    frozen backbone is computed, not looked up.

    Args:
        batch: a batch of one sample, as the test dataloader yields it.
    """
    cuda = device.startswith("cuda")
    was_training = model.training
    frozen = [module for module in model.modules() if isinstance(module, FrozenBackbone)]
    for module in frozen:
        module.caching = False
    model.eval()
    try:
        with torch.no_grad():
            forward = _forward(model, batch)
            with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter:
                forward()
            forward()
            times: list[float] = []
            started = time.perf_counter()
            while len(times) < 3 or (time.perf_counter() - started < budget and len(times) < 100):
                if cuda:
                    torch.cuda.synchronize()
                begin = time.perf_counter()
                forward()
                if cuda:
                    torch.cuda.synchronize()
                times.append(time.perf_counter() - begin)
    finally:
        model.train(was_training)
        for module in frozen:
            module.caching = True
    return Cost(
        params=sum(parameter.numel() for parameter in model.parameters()),
        flops=float(counter.get_total_flops()),
        latency_ms=1000 * median(times),
    )
