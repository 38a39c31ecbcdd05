"""Run an OpenMMLab config file and print what it says as plain data: ``python -m harness.benchmarks.openmmlab.resolve FILE``.

A config file is Python. It runs here, in a process of its own that ends afterwards; what is printed are literals.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from pathlib import Path
from typing import Any

from harness.errors import UsageError

_MOST = 1 << 24
"""Characters of a config; one that is longer holds data."""


def file_of(name: str) -> Path:
    """The file that is meant: a path, or ``mmseg::fcn/fcn_r50-d8_4xb4-80k_ade20k-512x512.py`` of an installed toolbox.

    Raises:
        UsageError: there is none.
    """
    toolbox, colons, inside = name.partition("::")
    if colons:
        spec = importlib.util.find_spec(toolbox) if toolbox.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise UsageError(f"--config {name}: '{toolbox}' is not installed.")
        file = Path(spec.submodule_search_locations[0], ".mim", "configs", inside)
    else:
        file = Path(name).expanduser()
    if not file.is_file():
        raise UsageError(f"--config {name}: no file at {file}.")
    return file


def resolved(file: Path) -> dict[str, Any]:
    """All that a config file says, its bases merged, classes by their names, descriptions of keypoints written out.

    Raises:
        ValueError: it holds something that is no plain data.
    """
    from mmengine.config import Config

    config = Config.fromfile(str(file), import_custom_modules=False)
    plain = config.to_dict()
    modules: list[str] = []
    if Config._is_lazy_import(str(file)):
        plain = _named(plain, modules)
    if modules:
        imports = plain.setdefault("custom_imports", {"imports": [], "allow_failed_imports": False})
        named = [imports["imports"]] if isinstance(imports["imports"], str) else imports["imports"]
        imports["imports"] = [*dict.fromkeys([*named, *modules])]
    return {name: _plain(value, name) for name, value in plain.items() if not name.startswith("_")}


def _named(value: Any, modules: list[str]) -> Any:
    """Import paths of classes as names that a toolbox registers; modules of other packages are collected."""
    if isinstance(value, dict):
        found = {key: _named(item, modules) for key, item in value.items()}
        if isinstance(kind := found.get("type"), str) and "." in kind and not kind.startswith("torchvision/"):
            module, _, name = kind.rpartition(".")
            package = module.partition(".")[0]
            if package in ("mmseg", "mmdet", "mmpose", "mmpretrain"):
                found["type"] = f"{package}.{name}"
            else:
                found["type"] = name
                if package not in ("mmengine", "mmcv", "torch"):
                    modules.append(module)
        return found
    if isinstance(value, (list, tuple)):
        return type(value)(_named(item, modules) for item in value)
    return value


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        if isinstance(about := value.get("from_file"), str) and where.endswith("metainfo"):
            return _keypoints(about)
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item, f"{where}.{index}") for index, item in enumerate(value))
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}, and no setting is that large: write a number")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "tolist"):  # of numpy
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise ValueError(f"{where} is a {type(value).__name__}, and only plain data can be kept: name a registered class instead")


def _keypoints(file: str) -> dict[str, Any]:
    """What mmpose finds where a dataset's description is a file of its own."""
    from mmengine.config import Config

    found = Path(file)
    if not found.is_file():
        spec = importlib.util.find_spec("mmpose")
        found = Path((spec.submodule_search_locations or [""])[0] if spec else "", ".mim", "configs", "_base_", "datasets", found.name)
    about = Config.fromfile(str(found)).to_dict()["dataset_info"]
    return {name: _plain(value, name) for name, value in about.items()}


def main(name: str) -> None:
    """Print the literal of :func:`resolved`, or of a text that says why there is none, on what was stdout; all else goes to stderr."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        from harness import openmmlab

        openmmlab.mend()
        told: Any = resolved(Path(name))
    except BaseException as error:
        told = f"{type(error).__name__}: {error}"
    text = repr(told)
    answer.write(text if len(text) < _MOST else repr("it is longer than any config"))
    answer.close()


if __name__ == "__main__":
    main(sys.argv[1])
