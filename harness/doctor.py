"""What is installed, what works, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness import paths
from harness.errors import HarnessError

if TYPE_CHECKING:
    from torch import Tensor

_INSTALL = "Run `make clean setup` in a checkout, or `pip install attention-harness` in an environment of its own."


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    part: str
    """``package``, ``openmmlab``, ``device``, ``data``, ``weights``, ``database`` or ``disk``."""
    name: str
    state: Literal["ok", "note", "broken"]
    """``note``: something is absent that not everybody needs; ``broken``: nothing runs without it."""
    what: str
    mend: str = ""


def examine(database: str, data_root: Path | None) -> Iterator[Finding]:
    """Look at everything, cheapest first; nothing is changed or downloaded."""
    looks: list[Callable[[], Iterator[Finding]]] = [
        _packages,
        lambda: _disk(database),
        _elsewhere,
        lambda: _database(database),
        lambda: _data(data_root),
        _openmmlab,
        _devices,
    ]
    for look in looks:
        yield from look()


def _packages() -> Iterator[Finding]:
    from harness import requirements

    inside = (3, 11) <= sys.version_info < (3, 14)
    mend = "" if inside else "Use CPython 3.11, 3.12 or 3.13."
    yield Finding("package", "python", "ok" if inside else "broken", platform.python_version(), mend)
    needed = requirements.needed()
    for some in needed:
        name = some.requirement.name
        if some.found is None:
            what = f"not installed; {some.by} needs it" if some.by else "not installed"
            yield Finding("package", name, "note" if some.by else "broken", what, f"Run `{some.mend}`.")
        else:
            other, version = some.found
            what = version if other == name else f"{other} {version}"
            if some.fits:
                yield Finding("package", name, "ok", what)
            else:
                yield Finding("package", name, "note", f"{what}, which was not tested", f"Run `{some.mend}`.")
    for conflict in requirements.conflicts(needed):
        yield Finding("package", conflict.name, "broken", conflict.what, f"Run `{conflict.mend}`.")


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _disk(database: str) -> Iterator[Finding]:
    results = Path(database.removeprefix("sqlite:///")).parent if database.startswith("sqlite:///") else Path("results")
    for name, folder in (("cache", paths.cache_dir()), ("results", results)):
        place = _existing(folder)
        free = shutil.disk_usage(place).free
        if not os.access(place, os.W_OK):
            yield Finding("disk", name, "broken", f"{place} is not writable", "Set HARNESS_CACHE, or --db, to a folder you may write to.")
        else:
            low = free < paths.ROOM
            mend = "Free some space, or set HARNESS_CACHE to another disk." if low else ""
            yield Finding("disk", name, "note" if low else "ok", f"{free / (1 << 30):.1f} GiB free for {folder}", mend)


def _elsewhere() -> Iterator[Finding]:
    from harness import remote

    if url := paths.artifacts():
        try:
            yield Finding("disk", "artifacts", "ok", f"{len(remote.trials(url))} trials left files at {remote.shown(url)}")
        except HarnessError as error:
            yield Finding("disk", "artifacts", "broken", str(error), "Mend that, or give another HARNESS_ARTIFACTS.")


def _database(url: str) -> Iterator[Finding]:
    try:
        from harness.store import current
        from harness.store.schema import REVISION

        revision = current(url)
    except HarnessError as error:
        yield Finding("database", "state", "broken", str(error))
        return
    except ImportError as error:
        yield Finding("database", "state", "broken", f"cannot be opened: {error}", _INSTALL)
        return
    if revision is None:
        yield Finding("database", "state", "ok", "empty; the first run creates it")
    elif revision == REVISION:
        yield Finding("database", "state", "ok", f"schema {revision}")
    else:
        yield Finding("database", "state", "note", f"schema {revision}, this harness has {REVISION}", "Run `harness db upgrade`.")


def _data(data_root: Path | None) -> Iterator[Finding]:
    from harness import benchmarks, data
    from harness.benchmarks import weights
    from harness.catalog import load_catalog

    try:
        catalog = load_catalog()
    except HarnessError as error:
        yield Finding("data", "registry", "broken", str(error))
        return
    for bench in catalog.benchmarks.values():
        try:
            task = benchmarks.task(bench)
            folder, model = data.locate(task, data_root), task.model
            yield Finding("data", bench.id, "ok", str(folder) if folder.is_dir() else "generated when it is first run")
        except HarnessError as error:
            yield Finding("data", bench.id, "note", str(error))
            continue
        if model.weights is not None and not model.weights.learned:
            try:
                yield Finding("weights", bench.id, "ok", str(weights.find(model.weights)))
            except HarnessError as error:
                yield Finding("weights", bench.id, "note", str(error))


def _openmmlab() -> Iterator[Finding]:
    from harness import openmmlab
    from harness.benchmarks import register

    full, there = openmmlab.has_compiled_ops(), openmmlab.installed()
    try:
        register.setup()
    except Exception as error:  # whatever a broken installation raises
        yield Finding("openmmlab", "import", "broken", f"{type(error).__name__}: {error}", _INSTALL)
        return
    yield Finding("openmmlab", "import", "ok", f"mmengine, mmcv, {' and '.join([', '.join(there[:-1]), there[-1]])} import")
    if not full:
        mend = "Only needed for models with such ops: `pip install --no-build-isolation mmcv==2.1.0` (needs a compiler)."
        yield Finding("openmmlab", "mmcv ops", "note", "mmcv-lite: compiled ops (deformable convolution, RoI ops) are absent", mend)
    else:
        yield _works(
            "mmcv ops", _mmcv_nms, "Build mmcv anew for this PyTorch: `pip install --no-build-isolation --force-reinstall mmcv==2.1.0`."
        )
    yield _works("torchvision ops", _torchvision_nms, "Install the torchvision that belongs to this PyTorch.")


def _works(name: str, call: Callable[[], object], mend: str) -> Finding:
    try:
        call()
    except Exception as error:  # a library built for another PyTorch fails in many ways
        return Finding("openmmlab", name, "note", f"do not run: {error}".splitlines()[0][:200], mend)
    return Finding("openmmlab", name, "ok", "run")


def _boxes() -> tuple[Tensor, Tensor]:
    import torch

    return torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.9]]), torch.tensor([0.9, 0.8])


def _mmcv_nms() -> object:
    from mmcv.ops import nms

    return nms(*_boxes(), iou_threshold=0.5)


def _torchvision_nms() -> object:
    from torchvision.ops import nms

    return nms(*_boxes(), 0.5)


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:  # reported as a package already; a broken build may raise anything
        yield Finding("device", "torch", "broken", f"{type(error).__name__}: {error}", _INSTALL)
        return
    yield Finding("device", "cpu", "ok", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads")
    from harness.engine.prepare import gpus

    usable, why = gpus()  # in a process of its own: a driver may do anything
    for gpu in usable:
        memory = f"{gpu.memory / (1 << 30):.0f} GiB"
        yield Finding("device", f"cuda:{gpu.index}", "ok", f"{gpu.name}, {memory}, CUDA {torch.version.cuda}")
    there = shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()
    if torch.version.cuda is None and there:
        anew = "`make clean setup` installs the CUDA build where a GPU is."
        yield Finding("device", "cuda", "note", "an NVIDIA GPU, but a CPU build of PyTorch", anew)
    elif why or (there and not usable):
        mend = f"Check `nvidia-smi`: the driver must support CUDA {torch.version.cuda}, or install a PyTorch for an older one."
        what = f"an NVIDIA GPU that PyTorch (CUDA {torch.version.cuda}) cannot use: {why or 'it sees none'}"
        yield Finding("device", "cuda", "note", what, mend)
    elif not usable:
        yield Finding("device", "cuda", "ok", "no NVIDIA GPU here; everything runs on the CPU")
