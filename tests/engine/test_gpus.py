"""What is believed of GPUs, and that nothing touches CUDA before a trial does; no GPU is needed."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from harness.engine import child, isolate, prepare
from harness.engine.prepare import Gpu, devices, grouped
from harness.errors import UsageError

TRIPWIRE = """
import sys
import torch
import harness.engine.trained, harness.engine.lookup
early = {"mmpretrain", "mmseg", "mmdet", "mmpose", "torchvision"} & {*sys.modules}
assert not early, f"{early} must not be imported before OpenMMLab is set up"
asked = []
torch.cuda.is_available = lambda: asked.append("is_available") or False
torch.cuda.device_count = lambda: asked.append("count") or 0
torch.cuda._lazy_init = lambda: asked.append("init")
from harness.benchmarks.register import setup
setup()
assert not asked, asked
assert torch.cuda.is_available() is False and asked == ["is_available"], "torch is as it was afterwards"
"""


def test_importing_the_stack_does_not_ask_cuda():
    subprocess.run([sys.executable, "-c", TRIPWIRE], check=True, timeout=300)


@pytest.fixture
def cuda(monkeypatch):
    """``cuda(count, broken)``: a machine with GPUs, of which some compute nothing."""
    import torch

    def pretend(count, broken=()):
        def zeros(size, device):
            if int(device.partition(":")[2]) in broken:
                raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
            return torch.ones(1)

        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch, "zeros", zeros)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(name="GPU", total_memory=1 << 34))

    return pretend


def test_a_gpu_is_tried_before_it_is_believed(cuda):
    cuda(3, broken=[1])
    found, why = prepare.gpus()
    assert found == [Gpu(0, "GPU", 1 << 34), Gpu(2, "GPU", 1 << 34)] and why.startswith("cuda:1: RuntimeError: CUDA error: no kernel image")
    assert devices("cuda") == {"cuda:0": 1 << 34, "cuda:2": 1 << 34}
    with pytest.raises(UsageError, match=r"--device cuda:1: 2 CUDA devices are usable"):
        devices("cuda:1")


def test_auto_says_why_it_takes_the_cpu(cuda):
    cuda(1, broken=[0])
    said = []
    assert devices("auto", said.append) == {"cpu": 0}
    assert len(said) == 1 and "no kernel image" in said[0] and "harness doctor" in said[0]
    cuda(0)
    said.clear()
    assert devices("auto", said.append) == {"cpu": 0} and not said, "where there is none, nothing is said"


def test_a_driver_that_kills_whoever_asks_is_survived(cuda, monkeypatch):
    import torch

    cuda(1)

    def crash():
        faulthandler.disable()  # pytest's would tell of the crash, on its own standard error
        os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr(torch.cuda, "device_count", crash)
    found, why = prepare.gpus()
    assert found == [] and "ended with status -11" in why


def test_doctor_survives_a_driver_that_is_too_old(cuda, monkeypatch):
    import torch

    from harness import doctor

    cuda(1, broken=[0])
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")
    found = {finding.name: finding for finding in doctor._devices()}
    assert found["cuda"].state == "note" and "no kernel image" in found["cuda"].what and "CUDA 13.0" in found["cuda"].mend
    monkeypatch.setattr(torch.version, "cuda", None)
    (told,) = [finding for finding in doctor._devices() if finding.name == "cuda"]
    assert "make clean setup" in told.mend, "make setup alone finds its mark and does nothing"


def test_gpus_are_grouped_for_one_trial():
    found = {"cuda:0": 3, "cuda:1": 2, "cuda:2": 5}
    assert grouped(found, 1) == found and grouped(found, 2) == {"cuda:0,cuda:1": 2} and grouped({"cpu": 0}, 2) == {"cpu,cpu": 0}
    with pytest.raises(UsageError, match="--gpus-per-trial 4: 3 CUDA devices are usable"):
        grouped(found, 4)


def test_a_process_that_does_not_end_is_not_waited_for(monkeypatch):
    """A process in the driver's hands ends when the driver lets it; leases must be renewed meanwhile."""
    janitor = SimpleNamespace(forget=lambda pid: forgotten.append(pid))
    forgotten: list[int] = []
    answer = isolate.start(lambda: time.sleep(60))
    stuck = child.Child(job=None, pid=answer.pid, pipe=os.dup(answer.pipe), since=0.0, pulse=None, janitor=janitor)
    wait = os.waitpid
    monkeypatch.setattr(child, "_GRACE", 0.1)
    monkeypatch.setattr(os, "waitpid", lambda pid, options: (0, 0) if options & os.WNOHANG else wait(pid, options))
    began = time.monotonic()
    assert stuck.kill() == (-signal.SIGKILL, {}) and time.monotonic() - began < 5 and not forgotten
    monkeypatch.undo()
    assert os.WTERMSIG(os.waitpid(answer.pid, 0)[1]) == signal.SIGKILL


def test_a_log_line_leaves_the_peak_of_memory_alone(openmmlab, monkeypatch):
    """Also where there is a GPU: mmengine would ask the allocator there, and reset its peak."""
    import torch
    from mmengine.logging import MessageHub
    from mmengine.runner import LogProcessor

    touched = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in ("max_memory_allocated", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *_, name=name, **__: touched.append(name) or 0)
    hub = MessageHub.get_instance("a-log-line")
    for name in ("train/lr", "train/loss", "train/time", "train/data_time"):
        hub.update_scalar(name, 0.1)
    loop = SimpleNamespace(dataloader=[0, 1], max_iters=2, max_epochs=1)
    loops = {"_train_loop": loop, "train_loop": loop, "train_dataloader": [0, 1], "max_iters": 2, "max_epochs": 1}
    runner = SimpleNamespace(message_hub=hub, model=SimpleNamespace(), iter=0, epoch=0, **loops)
    _, line = LogProcessor().get_log_after_iter(runner, 0, "train")
    assert "loss: 0.1" in line and not touched


def test_flops_are_those_of_a_cpu(openmmlab, monkeypatch):
    """A kernel that wants its operands padded changes no count, and the model is back on its device afterwards."""
    import torch
    from torch import nn

    from harness.engine import cost

    places = []

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 4, bias=False)

        def to(self, device):
            places.append(device)
            return self

    model = Model()
    assert cost._flops(model, lambda: model.layer(torch.zeros(2, 8)), "cuda:1") == 2 * 2 * 8 * 4
    assert places == ["cpu", "cuda:1"]
