"""What a plugin must leave as it is: torch, OpenMMLab and the readers of images, when it is imported and while its layers run.

What a plugin file does to the whole process would change the model, the data or the numbers around the method; such a file is
refused, and such a trial fails before it keeps anything that others read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

import mmengine.registry
import torch
from mmengine.registry import Registry

from harness.benchmarks.parts.frozen import BEFORE_KEEPING
from harness.catalog.plugins import PluginFile, owners
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
    "hooks of all modules": lambda: _hooks(torch.nn.modules.module),
    "hooks of all optimizers": lambda: _hooks(sys.modules["torch.optim.optimizer"]),
}
"""What sets it -> what tells it."""


def _settings() -> dict[str, Any]:
    return {name: tell() for name, tell in _SETTINGS.items()}


def _hooks(module: ModuleType) -> tuple[int, ...]:
    """Which functions a module of torch calls for all layers or optimizers."""
    tables = [held for name, held in sorted(vars(module).items()) if name.startswith("_global_") and isinstance(held, dict)]
    return tuple(id(hook) for held in tables for hook in held.values())


_PATCHABLE = ("torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.modules", "torch.optim", "torch.autograd")
_BELOW = ("torch.nn.modules.", "torch.optim.")
WHOLE = frozenset(("mmengine", "mmcv", "torchvision", "timm", "cv2", "PIL", *TOOLBOXES))
"""Modules whose functions and classes a plugin must leave as they are: these, those below, and all of these packages."""


def _modules() -> Iterator[ModuleType]:
    for name, module in [*sys.modules.items()]:
        if isinstance(module, ModuleType) and (name in _PATCHABLE or name.startswith(_BELOW) or name.partition(".")[0] in WHOLE):
            yield module


def _is_code(value: Any) -> bool:
    return callable(value) or isinstance(value, (property, classmethod))


_TORCH = os.path.dirname(torch.__file__)


def _by_torch(name: str, function: Any) -> bool:
    """Whether torch itself has wrapped a function of its own: an optimizer's step, when the first of its class is made, and some of
    optimizers and modules, when something is compiled."""
    if getattr(function, "hooked", False) and getattr(function, "__module__", "").startswith("torch.optim."):
        return True
    inner = getattr(function, "_torchdynamo_orig_callable", None)
    if inner is not None:
        return _file(inner).startswith(_TORCH) and getattr(inner, "__name__", "") == name
    return _file(function) == os.path.join(_TORCH, "_dynamo", "mutation_guard.py")


def _file(function: Any) -> str:
    return str(getattr(getattr(function, "__code__", None), "co_filename", ""))


def _inside(value: Any) -> tuple[Any, ...]:
    """What a function is made of, which can be exchanged while it stays the same object."""
    function = getattr(value, "__func__", value)
    if not isinstance(function, FunctionType):
        return ()
    more = tuple(function.__kwdefaults__.items()) if function.__kwdefaults__ else ()
    return (function.__code__, *(function.__defaults__ or ()), *more)


def _functions(tables: Iterable[tuple[Any, dict[str, Any]]]) -> list[tuple[Any, str, Any, tuple[Any, ...]]]:
    return [(owner, name, value, made) for owner, held in tables for name, value in held.items() if (made := _inside(value))]


@dataclass(frozen=True)
class _State:
    """What torch's settings are and what modules, classes and registries hold at one time: copies of their tables, which is quick."""

    settings: dict[str, Any]
    modules: list[tuple[ModuleType, dict[str, Any]]]
    classes: list[tuple[type, dict[str, Any]]]
    registries: list[tuple[Registry, dict[str, type]]]
    functions: list[tuple[Any, str, Any, tuple[Any, ...]]]
    """Of torch: owner, name, function, and what that is made of."""

    @classmethod
    def now(cls) -> _State:
        modules = [(module, dict(vars(module))) for module in _modules()]
        classes = {
            value: None
            for module, held in modules
            for value in held.values()
            if isinstance(value, type) and value.__module__ == module.__name__
        }
        of_classes = [(kind, dict(vars(kind))) for kind in (*classes, torch.Tensor)]
        registries = [(registry, dict(registry.module_dict)) for registry in _registries()]
        of_torch: list[tuple[Any, dict[str, Any]]] = [some for some in modules if some[0].__name__.partition(".")[0] == "torch"]
        of_torch += [(kind, held) for kind, held in of_classes if kind.__module__.startswith("torch.")]
        return cls(_settings(), modules, of_classes, registries, _functions(of_torch))

    def changed(self, *, settings: bool = True) -> list[str]:
        """Names of settings, where they are asked for, and of :meth:`definitions` that are others now."""
        now = _settings() if settings else self.settings
        return [*dict.fromkeys([*(name for name in now if now[name] != self.settings[name]), *self.definitions()])]

    def definitions(self) -> Iterator[str]:
        """Names of functions, classes, methods and entries of registries that are others now."""
        for module, held in self.modules:
            now = vars(module)
            for name, value in held.items():
                if now.get(name, value) is not value and _is_code(value) and not _by_torch(name, now[name]):
                    yield f"{module.__name__}.{name}"
        for kind, held in self.classes:
            now = dict(vars(kind))
            # a class that gains a method overrides the one it inherited; a module that gains a name has imported something
            gained = [name for name in now.keys() - held.keys() if callable(now[name])]
            for name in (*held, *gained):
                if (
                    name in now
                    and now[name] is not held.get(name)
                    and _is_code(held.get(name, now[name]))
                    and not _by_torch(name, now[name])
                ):
                    yield f"{kind.__module__}.{kind.__qualname__}.{name}"
        for owner, name, function, made in self.functions:
            inside = _inside(function)
            if len(inside) != len(made) or any(one is not other and one != other for one, other in zip(inside, made, strict=True)):
                yield f"{owner.__name__ if isinstance(owner, ModuleType) else f'{owner.__module__}.{owner.__qualname__}'}.{name}"
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


@contextmanager
def unchanged(what: str) -> Iterator[None]:
    """Refuse what changes torch or OpenMMLab for the whole process; folder, environment and threads are set back.

    Raises:
        UsageError: the block changed something that a result depends on; it is named.
    """
    before = _State.now()
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
    if changed := before.changed():
        raise _refusal(what, changed, "it is imported")


def _refusal(what: str, changed: Sequence[str], when: str) -> UsageError:
    return UsageError(
        f"{what} changes {few(changed, 3)} for the whole process when {when}, and with it the model around the method. "
        "Do it inside the plugin's class, for its own layers."
    )


def watch(names: Iterable[str], files: list[PluginFile]) -> Callable[[], None]:
    """Note what torch and OpenMMLab are now, which the layers of some plugins must leave as they are; shipped ones are not watched.

    From here on no features are kept that were computed after a change.

    Returns:
        What looks whether they do, and raises a :class:`UsageError` that names what they changed.
    """
    owner = owners(files)
    foreign = dict.fromkeys(owner[name].path for name in names if name in owner and owner[name].origin != "shipped")
    if not foreign:
        return lambda: None
    before = _State.now()

    def look(*, settings: bool = True) -> None:
        if changed := before.changed(settings=settings):
            raise _refusal(f"plugin file {' or '.join(map(str, foreign))}", changed, "its layers are built or run")

    BEFORE_KEEPING.append(partial(look, settings=False))  # within a pass some are others for a while
    return look


@contextmanager
def watched(names: Iterable[str], files: list[PluginFile]) -> Iterator[None]:
    """:func:`watch` plugins while a block runs.

    Raises:
        UsageError: they changed something; also in the place of an error that may have come from it.
    """
    known, look = len(BEFORE_KEEPING), watch(names, files)
    try:
        try:
            yield
        except Exception:
            look()
            raise
        look()
    finally:
        del BEFORE_KEEPING[known:]
