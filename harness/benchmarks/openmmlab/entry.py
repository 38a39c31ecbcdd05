"""A config file as a benchmark entry: its parts in the places of data, model and schedule, paths relative to the data's folder."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from harness.benchmarks.base import DATA
from harness.benchmarks.openmmlab.known import DATA_PARTS, SCHEDULE_PARTS, TOOLBOXES, bare
from harness.benchmarks.openmmlab.readers.config import datasets
from harness.benchmarks.openmmlab.resolve import file_of
from harness.benchmarks.weights import hugging_face
from harness.catalog import Benchmark
from harness.catalog.sources import file_digest, module_files
from harness.errors import UsageError

_HOOKS = frozenset(("runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint", "visualization", "badcase"))
"""Default hooks that every trial has, and those that only write files."""

PATIENCE = 300.0
"""Seconds that a config file has to say all it says."""

_SECONDS = 600.0
"""Expected of a trial, of which nothing is known."""


def of_file(name: str, entry: Benchmark | None = None) -> Benchmark:
    """The benchmark that a config file is. The file runs, in a process of its own.

    Args:
        name: see :func:`harness.benchmarks.openmmlab.resolve.file_of`.
        entry: of a registry, which names the file; what it says besides stays.

    Raises:
        UsageError: the file fails, or says something that cannot be kept to; the sentence names it.
    """
    file = file_of(name)
    try:
        made = parts(_run(file))
    except UsageError as error:
        raise UsageError(f"config {file}: {error}") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # a config is Python, and may say anything anywhere
        raise UsageError(f"config {file}: its parts are not those of a config of OpenMMLab ({type(error).__name__}: {error}).") from None
    if entry is None:
        made["data"]["code"] = name
        return Benchmark(id=_id(file), title=file.stem, family="openmmlab", cost=_SECONDS, data=made["data"], model=made["model"],
                         schedule=made["schedule"])  # fmt: skip
    told = {part: {**made[part], **getattr(entry, part)} for part in made}
    del told["data"]["code"]  # what it says stands in its place
    return entry.model_copy(update=told)


def _id(file: Path) -> str:
    return re.sub(r"[^a-z0-9.-]+", "-", file.stem.lower()).strip("-.")[:64].strip("-.") or "config"


def _run(file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "harness.benchmarks.openmmlab.resolve", str(file)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise UsageError(f"it was still running after {PATIENCE:g} s. A config says what to do; it does nothing itself.") from None
    try:
        said = ast.literal_eval(done.stdout)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise UsageError(f"its process ended with status {done.returncode}: {done.stderr.strip()[-300:] or 'it said nothing'}.") from None
    if isinstance(said, str):
        raise UsageError(f"{' '.join(said.split()).rstrip('.')}.")
    return dict(said)


def parts(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """``data``, ``model`` and ``schedule`` of an entry, from all that a config says.

    Raises:
        UsageError: it says something that cannot be kept to, or lacks what a benchmark needs.
    """
    for name in ("model", "train_dataloader", "optim_wrapper", "train_cfg"):
        if not isinstance(config.get(name), dict):
            raise UsageError(f"it has no `{name}`, so nothing can be trained.")
    if config.get("default_scope") not in TOOLBOXES:
        raise UsageError(f"its default_scope is {config.get('default_scope')!r}; known are {', '.join(TOOLBOXES)}.")
    if config.get("load_from") or config.get("resume"):
        raise UsageError("it goes on from a checkpoint (load_from, resume). Give weights of the backbone, or set both to None.")
    data = {name: config[name] for name in DATA_PARTS if config.get(name) is not None}
    schedule = {name: config[name] for name in SCHEDULE_PARTS if config.get(name) is not None}
    _splits(data)
    _no_workers(data)
    root, data = _placed(data)
    _imports(data)
    _hooks(schedule, has_validation="val_dataloader" in data)
    loop = schedule["train_cfg"]
    if bare(loop.get("type", "EpochBasedTrainLoop")) not in ("EpochBasedTrainLoop", "IterBasedTrainLoop"):
        raise UsageError(f"train_cfg: a loop of type {loop['type']} is not known; EpochBasedTrainLoop and IterBasedTrainLoop are.")
    optimizer = schedule["optim_wrapper"].get("optimizer")
    if not isinstance(optimizer, dict) or "lr" not in optimizer:
        raise UsageError("optim_wrapper has no optimizer with an lr.")
    host, weights, missing = _host(config)
    sizes = _sizes([host.get("data_preprocessor") or {}, data["train_dataloader"]])
    return {
        "data": {"format": "config", "root": root, "config": data},
        "model": {
            "config": host,
            **({"weights": weights} if weights else {}),
            **({"pretrained": missing} if missing else {}),
            "input_size": next(sizes, (224, 224)),
        },
        "schedule": {"config": schedule, "lr": optimizer["lr"], "batch_size": data["train_dataloader"].get("batch_size", 1)},
    }


def _splits(data: dict[str, Any]) -> None:
    """What is tested is looked at once, at the end: a config that validates on its test data has no validation split."""
    for part in ("dataloader", "evaluator"):
        if f"test_{part}" not in data:
            if f"val_{part}" not in data:
                raise UsageError(f"it has no `test_{part}`, so nothing can be scored.")
            data[f"test_{part}"] = data[f"val_{part}"]
    same = _samples(data.get("val_dataloader", {}).get("dataset")) == _samples(data["test_dataloader"]["dataset"])
    if same or "val_dataloader" not in data or "val_evaluator" not in data:
        for name in ("val_dataloader", "val_evaluator", "val_cfg"):
            data.pop(name, None)
    else:
        data.setdefault("val_cfg", {})
    data.setdefault("test_cfg", {})
    for name in ("val_evaluator", "test_evaluator"):
        listed = data.get(name, [])
        if not all(isinstance(one, dict) and "type" in one for one in (listed if isinstance(listed, (list, tuple)) else [listed])):
            raise UsageError(f"{name} is no evaluator: write a dict with a type, or a list of such.")


def _samples(dataset: Any) -> Any:
    """What decides which images and labels a dataset has, without what is done with them."""
    if isinstance(dataset, dict):
        kept = {key: _samples(value) for key, value in dataset.items() if key not in _TREATED}
        return {**kept, "data_root": os.path.normpath(kept["data_root"])} if isinstance(kept.get("data_root"), str) else kept
    return [_samples(one) for one in dataset] if isinstance(dataset, (list, tuple)) else dataset


_TREATED = ("pipeline", "test_mode", "lazy_init", "serialize_data", "max_refetch", "metainfo", "filter_cfg", "bbox_file")
"""Of a dataset's options, those by which it has the same images and labels."""


def _no_workers(data: dict[str, Any]) -> None:
    """Images are read in the trial's own process: what is drawn for them then depends on no number of workers."""
    for split in ("train", "val", "test"):
        if f"{split}_dataloader" in data:
            kept = {
                k: v for k, v in data[f"{split}_dataloader"].items() if k not in ("persistent_workers", "prefetch_factor", "pin_memory")
            }
            data[f"{split}_dataloader"] = {**kept, "num_workers": 0}


def _placed(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The folder that holds all datasets, and the data with it written as :data:`harness.benchmarks.base.DATA`."""
    roots = set()
    for split in ("train", "val", "test"):
        for dataset in datasets((data.get(f"{split}_dataloader") or {}).get("dataset")):
            prefix = dataset.get("data_prefix")
            named = [dataset.get("data_root"), dataset.get("ann_file"), *(prefix.values() if isinstance(prefix, dict) else [prefix])]
            base = dataset.get("data_root") or ""
            first = next((name for name in named if isinstance(name, str) and name), None)
            if first is None:
                raise UsageError(f"{split}_dataloader: its dataset names no data_root, no ann_file and no data_prefix.")
            if base:
                roots.add(os.path.abspath(base))
            else:
                roots |= {os.path.dirname(os.path.abspath(name)) for name in named if isinstance(name, str) and name}
    root = os.path.commonpath(roots)
    if root in (os.sep, str(Path.home())):
        raise UsageError(f"its datasets lie in folders that have only {root} in common: {', '.join(sorted(roots))}. Link them into one.")

    def stand_in(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: stand_in(item, name) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(stand_in(item, key) for item in value)
        if isinstance(value, str) and value and key != "type" and (os.sep in value or key == "data_root"):
            path = os.path.abspath(value)
            if path == root:
                return DATA
            if path.startswith(root + os.sep) and (os.path.isabs(value) or _from_here(value, root)):
                return f"{DATA}/{os.path.relpath(path, root)}"
        return value

    return root, {name: stand_in(value) if name.endswith(("dataloader", "evaluator")) else value for name, value in data.items()}


def _from_here(value: str, root: str) -> bool:
    """Whether a relative path starts in the current folder and not in a dataset's, which are told apart by the way to the data."""
    way = os.path.relpath(root)
    return way == "." or os.path.normpath(value).startswith(way + os.sep)


def _imports(data: dict[str, Any]) -> None:
    """The modules that a config imports, and the code they stand for, which decides what its classes do."""
    told = data.pop("custom_imports", None)
    named = (told or {}).get("imports", [])
    modules = [name for name in ([named] if isinstance(named, str) else named) if not name.startswith("harness.")]
    if not modules:
        return
    codes = {}
    if os.getcwd() not in sys.path:  # where `python -m harness` looks, and the `harness` of an environment does not
        sys.path.append(os.getcwd())
    for module in modules:
        files = module_files(module)
        if not files:
            raise UsageError(f"custom_imports: there is no module '{module}'. Install its package, or start in its folder.")
        codes[module] = _version(module) or file_digest(files[-1], module)
    data["custom_imports"] = {"imports": modules, "allow_failed_imports": False}
    data["code"] = codes


def _version(module: str) -> str | None:
    """Of an installed distribution, which stands for its code."""
    try:
        return distribution(module.partition(".")[0]).version if module.partition(".")[0] in TOOLBOXES else None
    except PackageNotFoundError:
        return None


def _hooks(schedule: dict[str, Any], *, has_validation: bool) -> None:
    own = {name: hook for name, hook in schedule.pop("default_hooks", {}).items() if name not in _HOOKS and hook}
    if own:
        schedule["default_hooks"] = own
    hooks = [hook for hook in schedule.pop("custom_hooks", []) if "Visualiz" not in hook["type"] and bare(hook["type"]) != "CheckpointHook"]
    if hooks:
        schedule["custom_hooks"] = hooks
    schedulers = schedule.get("param_scheduler", [])
    kinds = [bare(one["type"]) for one in ([schedulers] if isinstance(schedulers, dict) else schedulers)]
    kinds += [bare(hook["type"]) for hook in hooks]
    decides = next((kind for kind in kinds if kind.startswith(("ReduceOnPlateau", "EarlyStopping"))), None)
    if decides and not has_validation:
        raise UsageError(f"{decides} decides by the validation, and it validates on its test data. Give it a validation split of its own.")


def _host(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str] | None, str | None]:
    """The model, the file of its backbone's weights where it is here, and what it is called where it is not."""
    host = {name: value for name, value in config["model"].items() if name != "pretrained"}
    if "data_preprocessor" not in host and config.get("data_preprocessor"):
        host["data_preprocessor"] = config["data_preprocessor"]
    backbone = host.get("backbone")
    if not isinstance(backbone, dict):
        raise UsageError("its model has no backbone, so there is no place for a method.")
    if config["model"].get("pretrained"):
        backbone = {**backbone, "pretrained": config["model"]["pretrained"]}
    found = _checkpoints(backbone)
    rest, key = _without(backbone), next((prefix for _, prefix in found if prefix), None)
    if len(found) > 1:
        raise UsageError(f"its backbone names several checkpoints: {', '.join(address for address, _ in found)}.")
    host["backbone"] = rest
    inner = next(_deeper({name: part for name, part in host.items() if name != "backbone"}), None)
    if inner:
        raise UsageError(f"a part of its model starts from a checkpoint of its own, {inner}. Only the backbone's can be loaded.")
    if not found:
        return host, None, None
    address = found[0][0]
    local = _local(address)
    if local is None:
        return host, None, address
    return host, {"file": str(local), **({"key": key.strip(".")} if key else {})}, None


def _checkpoints(backbone: dict[str, Any]) -> list[tuple[str, str | None]]:
    inits = backbone.get("init_cfg") or []
    found = [(init["checkpoint"], init.get("prefix")) for init in ([inits] if isinstance(inits, dict) else inits) if init.get("checkpoint")]
    if backbone.get("pretrained") is True:  # of TIMMBackbone, which would fetch it in the middle of a trial
        return [*found, (f"timm/{backbone.get('model_name', '')}", None)]
    told = (backbone.get(name) for name in ("pretrained", "checkpoint_path"))
    return found + [(address, None) for address in told if address]


def _without(backbone: dict[str, Any]) -> dict[str, Any]:
    inits = backbone.get("init_cfg") or []
    others = [init for init in ([inits] if isinstance(inits, dict) else inits) if not init.get("checkpoint")]
    rest = {name: value for name, value in backbone.items() if name not in ("init_cfg", "pretrained", "checkpoint_path")}
    return {**rest, "init_cfg": others} if others else rest


def _deeper(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if bare(value.get("type", "")) == "Pretrained" and value.get("checkpoint"):
            yield value["checkpoint"]
        value = value.values()
    if isinstance(value, (list, tuple)) or not isinstance(value, (str, int, float, type(None))):
        for item in value:
            yield from _deeper(item)


def _local(address: str) -> Path | None:
    """The file of a checkpoint, or where torch's hub keeps what was fetched from an address; ``None`` where it is not here."""
    if address.startswith("timm/"):
        with suppress(UsageError):
            return hugging_face(address)
        return None
    if "://" not in address:
        file = Path(address).expanduser()
        return file.absolute() if file.is_file() else None
    name = address.rpartition("/")[2]
    if address.startswith("open-mmlab://"):
        import importlib.util

        spec = importlib.util.find_spec("mmengine")
        hub = json.loads(Path((spec.submodule_search_locations or [""])[0] if spec else "", "hub", "openmmlab.json").read_text("utf-8"))
        name = str(hub.get(address.removeprefix("open-mmlab://"), name)).rpartition("/")[2]
    cache = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"), "hub", "checkpoints")
    if address.startswith("torchvision://"):
        return next(iter(sorted(cache.glob(f"{name}-*.pth"))), None)
    return cache / name if (cache / name).is_file() else None


def _sizes(value: Any) -> Iterator[tuple[int, int]]:
    """(H, W) of a model's input, as far as pipelines and preprocessors tell, the surest first."""
    for key, turned in (("size", False), ("crop_size", False), ("input_size", True), ("scale", True), ("img_scale", True)):
        for found in _values(value, key):
            if isinstance(found, int):
                yield found, found
            elif isinstance(found, (list, tuple)) and len(found) == 2 and all(isinstance(side, int) and side > 0 for side in found):
                yield (found[1], found[0]) if turned else (found[0], found[1])


def _values(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _values(item, key)
