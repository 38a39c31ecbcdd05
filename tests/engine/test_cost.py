"""Memory and latency: the model's own, the same each time, and with a word where they are not sure."""

from __future__ import annotations

import gc
import time

import pytest
import torch
from torch import nn

from harness.engine.memory import peak_mb, size_of

KIB = 1 << 10


def peak(compute, held=()):
    """Bytes."""
    return peak_mb(held, compute, "cpu") * 2**20


def test_live_tensors_are_counted_and_freed_ones_are_not():
    def chain():
        x = torch.zeros(KIB)
        for _ in range(10):
            x = x + 1

    def all_kept():
        return [torch.zeros(KIB) for _ in range(10)]

    def views():
        x = torch.zeros(4, KIB)
        return x.T, x[1:], x.view(-1)

    assert peak(chain) == 2 * 4 * KIB
    assert peak(all_kept) == 10 * 4 * KIB
    assert peak(views) == 4 * 4 * KIB


def test_what_was_there_is_counted_once():
    x = torch.zeros(KIB)
    assert peak(lambda: x.add_(1).view(2, -1), [x, x[1:]]) == 4 * KIB == size_of([x, x.view(2, -1)])


def test_gradients_and_saved_activations_are_counted():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(KIB, KIB, bias=False), nn.Sigmoid(), nn.Linear(KIB, 1, bias=False))
    x = torch.zeros(8, KIB)

    def step():
        net.zero_grad(set_to_none=True)
        net(x).sum().backward()

    with torch.no_grad():
        still = peak(lambda: net(x), net.parameters())
    weights = size_of(net.parameters())
    activation = 4 * 8 * KIB
    assert weights + 2 * activation == still
    assert 2 * weights < peak(step, net.parameters()) < 2 * weights + 5 * activation


def test_the_peak_on_a_gpu_is_that_of_the_computation_alone(monkeypatch):
    """With a fake allocator: neither what was taken before, in training say, nor what lies there from others is counted."""
    taken = {"now": 0, "peak": 0}

    def take(size):
        taken["now"] += size
        taken["peak"] = max(taken.values())

    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: taken["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: taken["peak"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: taken.update(peak=taken["now"]))
    held = [torch.zeros(KIB)]
    take(100 * KIB), take(-90 * KIB)

    def compute():
        take(3 * KIB), take(-3 * KIB)

    assert peak_mb(held, compute, "cuda:0") * 2**20 == size_of(held) + 3 * KIB


def test_garbage_does_not_matter():
    def circle():
        x = [torch.zeros(KIB)]
        x.append(x)

    def both():
        circle()
        circle()

    first = peak(both)
    gc.disable()
    try:
        circle()
        assert peak(both) == first == 8 * KIB
        assert not gc.isenabled()
    finally:
        gc.enable()


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def data_preprocessor(self, batch, training):
        return {"inputs": batch}

    def forward(self, inputs, samples, mode):
        return self.layer(inputs)


def test_the_latency_on_a_cpu_leaves_out_what_others_have_of_the_core(openmmlab):
    from harness.engine import cost

    def forward():
        time.sleep(0.05)
        begin = time.thread_time()
        while time.thread_time() < begin + 0.01:
            pass

    assert all(10 <= one < 50 for one in cost._times(forward, "cpu", budget=0.0))


@pytest.mark.parametrize(("times", "said"), [([1.0] * 10, False), ([1.0, 2.0] * 5, True), ([1.0, 1.1] * 5, False)])
def test_a_latency_whose_passes_differ_is_noted(openmmlab, monkeypatch, times, said):
    from harness.engine import cost

    monkeypatch.setattr(cost, "_times", lambda *_: times)
    monkeypatch.setattr("os.getloadavg", lambda: (7.0, 0.0, 0.0))
    found, notes = cost.measure(Tiny(), torch.zeros(1, 4), "cpu")
    assert bool(notes) == said and found.params == 20 and found.flops == 32
    assert all(note.startswith("the latency is uncertain") and "load 7.0" in note for note in notes)


def test_at_least_ten_passes_are_timed(openmmlab):
    from harness.engine import cost

    calls = []
    assert len(cost._times(lambda: calls.append(1), "cpu", budget=0.0)) == 10 and len(calls) == 13
    assert len(cost._times(lambda: None, "cpu", budget=10.0)) == 100


def test_a_part_of_a_parameter_may_go_through_a_module(openmmlab):
    """As the queries of Deformable DETR do; what is trained stays so."""
    from harness.engine import cost

    class Halves(Tiny):
        def forward(self, inputs, samples, mode):
            first, _ = self.layer.weight.split(2)
            return self.layer(first)

    model = Halves()
    assert cost.measure(model, torch.zeros(1, 4), "cpu")[0].flops == 64
    assert all(parameter.requires_grad for parameter in model.parameters())
