"""A trial's plugins are loaded in its own process, and what changes torch for all is refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from harness import openmmlab, slots
from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.catalog.plugins import discover, source_digest
from harness.catalog.sources import file_digest
from harness.engine import planned
from harness.engine.plugins import load_for
from harness.engine.untouched import unchanged, watched
from harness.errors import TrialError, UsageError

PLUGIN = """
{habit}
import torch
from torch import nn
from harness.slots import attention_method


@attention_method("{name}", slot="pooling")
class P(nn.Module):
    def __init__(self, channels: int):
        super().__init__()

    def forward(self, x):
        return x.mean((2, 3))
"""


@pytest.fixture(autouse=True, scope="module")
def stack() -> None:
    openmmlab.setup()


def load(tmp_path: Path, name: str, habit: str) -> None:
    file = tmp_path / f"{name.replace('-', '_')}.py"
    file.write_text(PLUGIN.format(habit=habit, name=name))
    load_for([name], discover((file,)), {})


HABITS = {
    "dtype": ("import torch; torch.set_default_dtype(torch.float64)", "torch.set_default_dtype"),
    "initialiser": ("from torch import nn; nn.Conv2d.reset_parameters = lambda self: None", "Conv2d.reset_parameters"),
    "function": ("import torch.nn.functional as F; F.softmax = lambda *a, **k: None", "torch.nn.functional.softmax"),
    "tensor": ("import torch; torch.Tensor.mean = lambda *a, **k: None", "torch.Tensor.mean"),
    "mkldnn": ("import torch; torch.backends.mkldnn.enabled = False", "torch.backends.mkldnn"),
    "deterministic": ("import torch; torch.use_deterministic_algorithms(True)", "torch.use_deterministic_algorithms"),
    "gradients": ("import torch; torch.set_grad_enabled(False)", "torch.set_grad_enabled"),
    "precision": ("import torch; torch.set_float32_matmul_precision('medium')", "torch.set_float32_matmul_precision"),
    "block": ("import mmpretrain.models.backbones.resnet as r; r.BasicBlock.forward = lambda self, x: x", "resnet.BasicBlock.forward"),
    "property": ("import mmpretrain.models.backbones.resnet as r; r.BasicBlock.norm1 = None", "resnet.BasicBlock.norm1"),
    "layer": ("import mmcv.cnn.bricks.activation as a; a.Clamp.forward = lambda self, x: x", "activation.Clamp.forward"),
    "defaults": ("from torch import nn; nn.BatchNorm2d.__init__.__defaults__ = (1e-3, 0.01, True, True, None, None)", "BatchNorm.__init__"),
    "code": ("import torch.nn.functional as F; F.relu.__code__ = F.relu6.__code__", "torch.nn.functional.relu"),
    "hook": (
        "from torch.nn.modules.module import register_module_forward_hook as hook; hook(lambda m, i, o: None)",
        "hooks of all modules",
    ),
    "step": ("from torch.optim.optimizer import register_optimizer_step_pre_hook as hook; hook(print)", "hooks of all optimizers"),
    "decoder": ("import cv2; cv2.resize = lambda *a, **k: None", "cv2.resize"),
    "entry": (
        "import torch; from mmpretrain.registry import MODELS; MODELS.register_module('ResNet', True, torch.nn.Identity)",
        "'ResNet' in the registry of mmpretrain (model)",
    ),
}


def said_by(action: Callable[[], object]) -> str:
    """What ``action`` raises in a process of its own, as a trial has: what it breaks would break the tests after it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            action()
            said = "nothing"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as stream:
        return stream.read()


@pytest.mark.parametrize("habit", HABITS)
def test_a_plugin_that_changes_torch_for_all_is_refused(tmp_path, habit):
    source, named = HABITS[habit]
    said = said_by(lambda: load(tmp_path, f"bad-{habit}", source))
    assert said.startswith("UsageError") and f"bad_{habit}.py" in said and named in said and "when it is imported" in said, said


LATER = {
    "built": ("torch.nn.functional.relu = lambda x, inplace=False: x.clamp(0, 1)", "pass", "torch.nn.functional.relu"),
    "run": ("pass", "torch.nn.init.normal_ = print", "torch.nn.init.normal_"),
    "failing": ("torch.set_default_dtype(torch.float64)", "raise ValueError('Float and Double')", "torch.set_default_dtype"),
    "compiled": ("self.c = torch.compile(torch.nn.Linear(4, 4), backend='eager')", "self.c(x)", ""),
    "optimizer": ("torch.optim.AdamW(self.parameters()); torch.optim.Adagrad(torch.nn.Linear(1, 1).parameters())", "pass", ""),
}


@pytest.mark.parametrize("habit", LATER)
def test_a_trial_whose_layers_change_torch_for_all_fails_and_keeps_no_features(tmp_path, monkeypatch, habit):
    """An optimizer's first use and the first compilation change classes of torch, too: that is its own doing."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    built, run, named = LATER[habit]
    file, name = tmp_path / f"later_{habit}.py", f"later-{habit}"
    source = PLUGIN.format(habit="", name=name).replace("super().__init__()", f"super().__init__(); self.w = nn.Linear(1, 1); {built}")
    file.write_text(source.replace("        return x.mean", f"        {run}\n        return x.mean"))
    files = discover((file,))
    frozen = FrozenBackbone(nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU()), "a test's")

    def trial() -> None:
        load_for([name], files, {})
        with watched([name], files):
            model = slots.build(name, {}, channels=2)
            try:
                model(frozen(torch.rand(2, 3, 4, 4))[0])
            finally:
                frozen.flush()

    said = said_by(trial)
    assert bool(list((tmp_path / "cache").rglob("*"))) != bool(named)
    if named:
        assert said.startswith("UsageError") and file.name in said and named in said and "built or run" in said, said
    else:
        assert said == "nothing"


def test_what_is_added_to_the_toolboxes_may_stay(tmp_path):
    habit = (
        "from mmpretrain.registry import MODELS\n"
        "from mmpretrain.models import ResNet\n"
        "import mmpretrain.models.backbones.resnet as resnet\n"
        "@MODELS.register_module()\n"
        "class OfNobody(ResNet):\n    def forward(self, x): ...\n"
        "resnet.OfNobody = OfNobody"
    )
    try:
        load(tmp_path, "adds", habit)
    finally:
        from mmpretrain.models.backbones import resnet
        from mmpretrain.registry import MODELS

        MODELS.module_dict.pop("OfNobody", None)
        vars(resnet).pop("OfNobody", None)


def planned_with(file: Path, name: str, config: dict | None = None) -> SimpleNamespace:
    return SimpleNamespace(plugins={name: source_digest(name, discover((file,)))}, config=config or {})


def test_a_trial_counts_only_for_the_code_that_it_was_planned_with(tmp_path):
    file, helper = tmp_path / "edited.py", tmp_path / "edited_helper.py"
    file.write_text(PLUGIN.format(habit="import edited_helper", name="edited"))
    helper.write_text("SCALE = 1\n")
    files = discover((file,))
    trial = planned_with(file, "edited")
    planned.check(trial, files)
    assert not planned.all_read(trial, files)  # nothing is imported yet
    helper.write_text("SCALE = 1  # said better\n")
    planned.check(trial, files)
    load_for(["edited"], files, {})
    assert planned.all_read(trial, files)
    helper.write_text("SCALE = 2\n")
    with pytest.raises(TrialError, match=r"plugin 'edited' \(.*edited.py, .* was edited after the run was planned"):
        planned.check(trial, files)
    file.unlink()
    with pytest.raises(TrialError, match="was edited"):
        planned.check(trial, files)


def test_modules_that_a_config_imports_are_its_code_too(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "somebodys_parts.py"
    module.write_text("SCALE = 1\n")
    trial = SimpleNamespace(plugins={}, config={"code": {"somebodys_parts": file_digest(module, "somebodys_parts"), "mmpretrain": "1.2"}})
    planned.check(trial, [])
    module.write_text("SCALE = 2\n")
    with pytest.raises(TrialError, match="module 'somebodys_parts'"):
        planned.check(trial, [])


def test_what_does_no_harm_to_a_result_may_stay(tmp_path):
    folder, threads = Path.cwd(), torch.get_num_threads()
    habit = (
        "import os, sys, threading, torch\n"
        "os.chdir('/'); os.environ['SOMEBODYS'] = '1'; print('hello'); torch.manual_seed(3); torch.randn(5); torch.set_num_threads(7)\n"
        "threading.Thread(target=lambda: None, daemon=True).start()"
    )
    load(tmp_path, "good-habits", habit)
    assert (Path.cwd(), torch.get_num_threads()) == (folder, threads) and "SOMEBODYS" not in os.environ
    assert threading.active_count() < 50


def test_nothing_of_ours_counts_as_a_change():
    with unchanged("the stack"):
        nn.Conv2d(3, 4, 1)(torch.zeros(1, 3, 2, 2)).softmax(1).sum().backward()


def test_a_file_that_ends_the_process_is_not_imported(tmp_path):
    file = tmp_path / "ends.py"
    file.write_text(PLUGIN.format(habit="import os; os._exit(3)", name="ends"))
    with pytest.raises(UsageError, match="it ends the process"):
        load_for(["ends"], discover((file,)), {file: "it ends the process"})
