"""The one place that makes OpenMMLab work on current PyTorch.

:func:`setup` is idempotent and must run before any OpenMMLab toolbox is imported. Each workaround below
applies only where the thing it mends is missing, so a full installation (compiled mmcv, native
torchvision, xtcocotools) is used as it is.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn, cast

from harness.errors import UsageError, did_you_mean

TOOLBOXES = ("mmpretrain", "mmseg", "mmdet", "mmpose")

MMPOSE = "mmpose>=1.3.1,<1.4"
"""The one toolbox that our metadata cannot ask for: its own asks for chumpy, which pip cannot build and nothing here uses."""
MMPOSE_MEND = f"pip install --no-deps '{MMPOSE}'"


def installed() -> tuple[str, ...]:
    """The toolboxes that are there."""
    return tuple(name for name in TOOLBOXES if importlib.util.find_spec(name))


def require(toolbox: str) -> None:
    """Refuse what needs a toolbox that is not there; an empty name needs none.

    Raises:
        UsageError: it is not installed.
    """
    if toolbox and toolbox not in installed():
        mend = f"Run `{MMPOSE_MEND}`." if toolbox == "mmpose" else "Run `harness doctor`."
        raise UsageError(f"this needs {toolbox}, which is not installed. {mend}")


def has_compiled_ops() -> bool:
    """Whether the compiled ops of the full mmcv are installed."""
    spec = importlib.util.find_spec("mmcv")
    if spec is None or not spec.submodule_search_locations:
        return False
    finder = importlib.machinery.PathFinder()
    return finder.find_spec("mmcv._ext", spec.submodule_search_locations) is not None


class _MissingOps(types.ModuleType):
    """Stands in for ``mmcv._ext``: every op exists, and one that :mod:`harness._mmcv` lacks raises when it is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        from harness import _mmcv

        if name in _mmcv.OPERATIONS:
            return _mmcv.OPERATIONS[name]

        def missing(*_args: object, **_kwargs: object) -> NoReturn:
            raise RuntimeError(
                f"the compiled op '{name}' needs the full mmcv; mmcv-lite is installed. "
                "Mend: build it with `pip install --no-build-isolation mmcv==2.1.0` (needs a compiler)."
            )

        missing.__name__ = name
        return missing


def _provide_mmcv_ext() -> None:
    # mmseg, mmdet and mmpose import mmcv.ops unguarded, which mmcv-lite cannot satisfy.
    if "mmcv._ext" in sys.modules or has_compiled_ops():
        return
    module = _MissingOps("mmcv._ext")
    # mmengine looks for the module with pkgutil, which refuses one without a spec.
    module.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", loader=None)
    sys.modules["mmcv._ext"] = module


def _provide_torchvision() -> None:
    # A CUDA build of torchvision beside a CPU-only torch cannot load its ops library and then dies
    # while registering fake kernels for ops that were never defined.
    try:
        _import_torchvision()
        return
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    import torch

    for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    make: Callable[..., Any] = torch.library.Library  # torch gives it no types
    library = make("torchvision", "DEF")
    for op in ("nms", "qnms"):
        library.define(f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    cast("Any", _provide_torchvision).library = library  # the schemas live as long as this object
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _import_torchvision()


def _import_torchvision() -> None:
    """Import it; where its compiled operations are missing, its detectors use ours."""
    ops = importlib.import_module("torchvision.ops")
    from harness import regions

    if regions.compiled():
        return

    def roi_align(
        input: Any, boxes: Any, output_size: Any, spatial_scale: float = 1.0, sampling_ratio: int = -1, aligned: bool = False
    ) -> Any:
        rois = boxes if not isinstance(boxes, (list, tuple)) else ops._utils.convert_boxes_to_roi_format(boxes)
        size = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
        return regions.roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned)

    # modules of torchvision have each other's functions by name
    for mine, theirs in ((regions.nms, ops.nms), (roi_align, ops.roi_align)):
        for module in [module for name, module in sys.modules.items() if name.split(".")[0] == "torchvision"]:
            for name in [name for name, value in vars(module).items() if value is theirs]:
                setattr(module, name, mine)


def _provide_xtcocotools() -> None:
    # xtcocotools has no wheel for NumPy 2. mmpose uses its COCO reader, its masks and
    # COCOeval(gt, dt, iouType, sigmas=, use_area=), all of which faster-coco-eval covers.
    try:
        importlib.import_module("xtcocotools.mask")
        return
    except (ImportError, ValueError):  # ValueError: built against another NumPy
        for name in [m for m in sys.modules if m.split(".")[0] == "xtcocotools"]:
            del sys.modules[name]
    from harness import _coco

    package = types.ModuleType("xtcocotools")
    package.__path__ = []
    parts = {"coco": {"COCO": _coco.COCO}, "cocoeval": {"COCOeval": _coco.COCOeval}, "mask": vars(_coco.mask)}
    sys.modules["xtcocotools"] = package
    for name, members in parts.items():
        module = types.ModuleType(f"xtcocotools.{name}")
        module.__dict__.update({k: v for k, v in members.items() if not k.startswith("__")})
        setattr(package, name, module)
        sys.modules[f"xtcocotools.{name}"] = module


@contextmanager
def _without_multimodal() -> Iterator[None]:
    # where any transformers is installed mmpretrain imports its language models, which those of today (5) break. No plugin uses them.
    from unittest.mock import patch

    import importlib_metadata

    find = importlib_metadata.distribution

    def distribution(name: str) -> Any:
        if name == "transformers":
            raise importlib_metadata.PackageNotFoundError(name)
        return find(name)

    with patch.object(importlib_metadata, "distribution", distribution):
        yield


@contextmanager
def _without_cuda() -> Iterator[None]:
    # mmengine and mmcv ask for CUDA while they are imported, which initialises it where NVML does not answer (no library, MIG):
    # then no process forked from this one could use a GPU. `use_device` says later what there is.
    import torch

    asked = torch.cuda.is_available
    torch.cuda.is_available = lambda: False
    try:
        yield
    finally:
        torch.cuda.is_available = asked


def _no_memory_in_logs() -> None:
    # mmengine resets the allocator's peak with every line it logs, and initialises CUDA for that in a trial on the CPU
    import mmengine.runner.log_processor as log_processor

    log_processor.is_cuda_available = lambda: False


def _only_registered_types() -> None:
    # mmengine takes a type that no registry has for an import path and calls what it finds: a configuration is data,
    # and `type: subprocess.Popen` in one must not start a program.
    from mmengine.registry import registry

    registry.get_object_from_string = lambda name: None


def _metainfo_of_mmpose() -> None:
    # a dataset class of mmpose executes the file that describes its points, which it looks for in the current folder first
    from mmpose.registry import DATASETS

    package = importlib.import_module("mmpose").__path__[0]
    for found in DATASETS.module_dict.values():
        told = getattr(found, "METAINFO", {}).get("from_file")
        if told and not os.path.isabs(told):
            found.METAINFO = {"from_file": os.path.join(package, ".mim", "configs", "_base_", "datasets", os.path.basename(told))}


def _ap_of_nothing() -> None:
    # a detector that finds nothing has an AP of 0; pycocotools cannot load a list without results, and mmdet then reports no metric
    from mmdet.datasets.api_wrappers import COCO

    load_results = COCO.loadRes

    def loaded(self: Any, results: Any) -> Any:
        if not isinstance(results, list) or results:
            return load_results(self, results)
        nothing = type(self)()
        nothing.dataset = {**self.dataset, "annotations": []}
        nothing.createIndex()
        return nothing

    COCO.loadRes = loaded


_UNREGISTERED = re.compile(r"(.*) is not in the \S+::(.+?) registry")
_UNREGISTERED_LAYER = re.compile(r"Cannot find (.*) in registry under scope name")


@contextmanager
def explained() -> Iterator[None]:
    """Answer a type that no registry has with the nearest ones.

    Raises:
        UsageError: in the place of the registry's ``KeyError``.
    """
    try:
        yield
    except KeyError as error:
        said = str(error.args[0])
        if found := _UNREGISTERED.match(said):
            raise _unknown_type(*found.groups()) from error
        if _UNREGISTERED_LAYER.match(said):  # mmcv forgets the name
            raise UsageError("a layer (norm_cfg, act_cfg, conv_cfg, ...) has a type that no OpenMMLab toolbox registers.") from error
        raise


def _unknown_type(name: str, kind: str) -> UsageError:
    from mmengine import registry

    roots = [item for item in vars(registry).values() if isinstance(item, registry.Registry) and item.name == kind]
    bare = {item for root in roots for item in root.module_dict}
    scoped = {f"{scope}.{item}" for root in roots for scope, child in root.children.items() for item in child.module_dict}
    near = did_you_mean(name, scoped if "." in name else bare | {item.partition(".")[2] for item in scoped}, f"{kind} type")
    return UsageError(f"{near} A type is a name that an OpenMMLab toolbox registers, with the toolbox in front: mmpretrain.ResNet.")


def use_device(device: str) -> None:
    """Make mmengine put models on ``device`` (``cpu``, ``cuda`` or ``cuda:N``); it offers no option for it."""
    import mmengine.device.utils as utils

    utils.DEVICE = device.partition(":")[0]
    if device.startswith("cuda:"):
        import torch

        torch.cuda.set_device(int(device.partition(":")[2]))


def mend() -> None:
    """Let the toolboxes be imported on this PyTorch; changes nothing in a process whose stack is whole."""
    _provide_mmcv_ext()
    with _without_cuda():
        _provide_torchvision()
    with warnings.catch_warnings(), _without_cuda():
        warnings.simplefilter("ignore")
        _provide_xtcocotools()


def load(toolbox: str) -> None:
    """Import all of a toolbox that configs name classes of.

    Raises:
        ImportError: it is not installed, or not whole.
    """
    with warnings.catch_warnings(), _without_cuda(), _without_multimodal():
        warnings.simplefilter("ignore")  # deprecations inside the toolboxes, not for our users
        importlib.import_module(toolbox)
        # the last two are wanted by every trial, whose process would import them for itself
        for part in ("models", "datasets", "evaluation", "engine", "visualization"):
            importlib.import_module(f"{toolbox}.{part}")


@cache
def setup() -> None:
    """Import what is there of the OpenMMLab stack and register its modules; :mod:`harness.benchmarks.register` adds ours.

    Takes 10 to 15 s the first time in a process (OpenMMLab's own imports), nothing afterwards.

    Raises:
        ImportError: a toolbox is not installed; ``harness doctor`` says which and how to mend it.
    """
    # asking whether CUDA is there must not initialise it: trials are forked from this process
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    mend()
    there = installed()
    for toolbox in there:
        load(toolbox)
    _no_memory_in_logs()
    _only_registered_types()
    if "mmdet" in there:
        _ap_of_nothing()
    if "mmpose" in there:
        _metainfo_of_mmpose()
