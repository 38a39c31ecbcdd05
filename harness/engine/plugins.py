"""Load the plugins of one trial in the trial's own process, and see to it that their import changes nothing but the registry.

What a plugin file does to the whole process when it is imported would change the model, the data or the numbers around the
method; such a file is refused. What does no harm to a result (a print, a thread, random numbers drawn) stays in this process.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import mmengine.registry
import torch
from mmengine.registry import Registry

from harness.catalog.plugins import PluginFile, load, owners
from harness.catalog.sources import imported, sources
from harness.errors import UsageError
from harness.openmmlab import TOOLBOXES
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

_PATCHABLE = ("torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.modules", "torch.optim", "torch.autograd")
_BELOW = ("torch.nn.modules.", "torch.optim.")
_WHOLE = frozenset(("mmengine", "mmcv", "torchvision", *TOOLBOXES))
"""Modules whose functions and classes a plugin must leave as they are: these, those below, and all of these packages."""


def _modules() -> Iterator[ModuleType]:
    for name, module in [*sys.modules.items()]:
        if isinstance(module, ModuleType) and (name in _PATCHABLE or name.startswith(_BELOW) or name.partition(".")[0] in _WHOLE):
            yield module


def _is_code(value: Any) -> bool:
    return callable(value) or isinstance(value, (property, classmethod))


@dataclass(frozen=True)
class _Definitions:
    """What modules, classes and registries hold at one time: copies of their tables, which is quick."""

    modules: list[tuple[ModuleType, dict[str, Any]]]
    classes: list[tuple[type, dict[str, Any]]]
    registries: list[tuple[Registry, dict[str, type]]]

    @classmethod
    def now(cls) -> _Definitions:
        modules = [(module, dict(vars(module))) for module in _modules()]
        classes = {
            value: None
            for module, held in modules
            for value in held.values()
            if isinstance(value, type) and value.__module__ == module.__name__
        }
        return cls(
            modules,
            [(kind, dict(vars(kind))) for kind in (*classes, torch.Tensor)],
            [(registry, dict(registry.module_dict)) for registry in _registries()],
        )

    def changed(self) -> Iterator[str]:
        """Names of functions, classes, methods and entries of registries that are others now."""
        for module, held in self.modules:
            now = vars(module)
            for name, value in held.items():
                if now.get(name, value) is not value and _is_code(value):
                    yield f"{module.__name__}.{name}"
        for kind, held in self.classes:
            now = dict(vars(kind))
            # a class that gains a method overrides the one it inherited; a module that gains a name has imported something
            gained = [name for name in now.keys() - held.keys() if callable(now[name])]
            for name in (*held, *gained):
                if name in now and now[name] is not held.get(name) and _is_code(held.get(name, now[name])):
                    yield f"{kind.__module__}.{kind.__qualname__}.{name}"
        for registry, entries in self.registries:
            for name, value in entries.items():
                if registry.module_dict.get(name) is not value:
                    yield f"'{name}' in the registry of {registry.scope} ({registry.name})"


def _registries() -> Iterator[Registry]:
    """mmengine's registries and those of the toolboxes, which are their children."""
    todo = [value for value in vars(mmengine.registry).values() if isinstance(value, Registry)]
    while todo:
        registry = todo.pop()
        yield registry
        todo += registry.children.values()


def _first(file: PluginFile) -> None:
    """Import what a file takes of the packages that it must leave as they are: what is not here yet cannot be seen to change."""
    for path in sources(file.path, file.module):
        for name in imported(path):
            if name.partition(".")[0] in _WHOLE and name not in sys.modules:
                with contextlib.suppress(Exception):  # its own import says it better; and this may be no module but what one holds
                    importlib.import_module(name)


@contextmanager
def unchanged(what: str) -> Iterator[None]:
    """Refuse what changes torch or OpenMMLab for the whole process; folder, environment and threads are set back.

    Raises:
        UsageError: the block changed something that a result depends on; it is named.
    """
    settings = {name: tell() for name, tell in _SETTINGS.items()}
    definitions = _Definitions.now()
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
    changed += dict.fromkeys(definitions.changed())
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
            _first(file)
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
