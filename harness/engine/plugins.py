"""Load the plugins of one trial in the trial's own process, and see to it that their import changes nothing but the registry.

What a plugin file does to the whole process when it is imported would change the model, the data or the numbers around the
method; such a file is refused. What does no harm to a result (a print, a thread, random numbers drawn) stays in this process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

from harness.catalog.plugins import PluginFile, load, owners
from harness.errors import UsageError
from harness.texts import few

_SETTINGS: dict[str, Any] = {
    "torch.set_default_dtype": torch.get_default_dtype,
    "torch.set_default_device": torch.get_default_device,
    "torch.set_grad_enabled": torch.is_grad_enabled,
    "torch.inference_mode": torch.is_inference_mode_enabled,
    "torch.set_float32_matmul_precision": torch.get_float32_matmul_precision,
    "torch.use_deterministic_algorithms": lambda: (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    ),
    "torch.set_flush_denormal": lambda: float(torch.tensor(1e-42) * 1.0) != 0.0,
    "torch.autograd.set_detect_anomaly": torch.is_anomaly_enabled,
    "torch.backends.mkldnn": lambda: (torch.backends.mkldnn.enabled, torch.backends.mkldnn.deterministic),
    "torch.backends.cudnn": lambda: tuple(
        getattr(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic", "allow_tf32")
    ),
    "torch.backends.cuda.matmul": lambda: (
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
    ),
    "scaled dot-product attention": lambda: tuple(
        getattr(torch.backends.cuda, f"{kernel}_sdp_enabled")() for kernel in ("flash", "mem_efficient", "math")
    ),
    "autocast": lambda: (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
}
"""What sets it -> what tells it."""

_PATCHABLE = ("torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.modules", "torch.optim", "torch.autograd", "mmengine")
"""Modules whose functions and classes a plugin must leave as they are; those below ``torch.nn.modules`` and ``torch.optim``, too."""


def _modules() -> Iterator[ModuleType]:
    for name, module in [*sys.modules.items()]:
        if isinstance(module, ModuleType) and (name in _PATCHABLE or name.startswith(("torch.nn.modules.", "torch.optim.", "mmengine."))):
            yield module


def _definitions() -> dict[str, Any]:
    """Every function and class of torch and mmengine, and the methods of every class, by name."""
    found: dict[str, Any] = {}
    for module in _modules():
        for name, value in [*vars(module).items()]:
            if callable(value):
                found[f"{module.__name__}.{name}"] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                found |= {f"{module.__name__}.{name}.{inner}": method for inner, method in vars(value).items() if callable(method)}
    found |= {"torch.Tensor": torch.Tensor}
    found |= {f"torch.Tensor.{name}": value for name, value in vars(torch.Tensor).items() if callable(value)}
    return found


@contextmanager
def unchanged(what: str) -> Iterator[None]:
    """Refuse what changes torch or mmengine for the whole process; folder, environment and threads are set back.

    Raises:
        UsageError: the block changed something that a result depends on; it is named.
    """
    settings = {name: tell() for name, tell in _SETTINGS.items()}
    definitions = _definitions()
    folder, environment, threads, path = os.getcwd(), dict(os.environ), torch.get_num_threads(), [*sys.path]
    try:
        yield
    finally:
        os.chdir(folder)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        torch.set_num_threads(threads)
        sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]
    changed = [name for name, tell in _SETTINGS.items() if tell() != settings[name]]
    now = _definitions()
    changed += [name for name, value in definitions.items() if name in now and now[name] is not value]
    # a class that gains a method overrides the one it inherited; a module that gains a name has imported something
    changed += [name for name in now.keys() - definitions.keys() if isinstance(definitions.get(name.rpartition(".")[0]), type)]
    if changed:
        raise UsageError(
            f"{what} changes {few(changed, 3)} for the whole process when it is imported, and with it the model around the method. "
            "Do it inside the plugin's class, for its own layers."
        )


def load_for(names: Iterable[str], files: list[PluginFile], dead: dict[Any, str]) -> None:
    """Import the files behind some plugins.

    Args:
        dead: files that must not be imported, and why.

    Raises:
        UsageError: a file cannot be imported, or changes what it must not.
    """
    owner = owners(files)
    for file in dict.fromkeys(owner[name] for name in names if name in owner):
        if file.path in dead:
            raise UsageError(dead[file.path])
        if file.origin == "shipped":
            load(file)
        else:
            with unchanged(f"plugin file {file.path}"):
                load(file)


def load_alone(names: Iterable[str], files: list[PluginFile]) -> None:
    """:func:`load_for` in a process that has nothing imported yet: the OpenMMLab stack first.

    Raises:
        UsageError: as there.
    """
    from harness.benchmarks import register
    from harness.catalog.verify import deadly

    dead = deadly(files)
    register.setup()
    load_for(names, files, dead)
