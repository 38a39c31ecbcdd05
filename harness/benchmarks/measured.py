"""Width and stride of a backbone's outputs, where nobody has written them down: asked of a process with torch, and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness import paths
from harness.errors import UsageError
from harness.files import write_whole

Maps = list[tuple[int, int | None]]
"""Width and stride of each output, shallow to deep; the stride ``None`` where an output is no map."""

_VERSION = 1
"""Raise it whenever the same network may be measured otherwise."""

_DISTRIBUTIONS = {"mmseg": "mmsegmentation", "TimmBackbone": "timm", "TorchvisionBackbone": "torchvision"}
"""What a type begins with -> the distribution that it comes with, where the name is another."""


def maps(config: Mapping[str, Any]) -> Maps:
    """What a backbone returns of an image, see :func:`harness.benchmarks.parts.foreign.maps_of`.

    The first time it takes as long as OpenMMLab takes to import; then it is remembered, as long as the package's version is the same.

    Args:
        config: of the backbone, as mmengine builds it.

    Raises:
        UsageError: it cannot be built, or its package is not installed.
    """
    return _maps(json.dumps(config, sort_keys=True))


@cache
def _maps(config: str) -> Maps:
    kind = str(json.loads(config)["type"])
    package = kind.partition(".")[0]
    if kind == "TimmBackbone" and importlib.util.find_spec("timm") is None:
        raise UsageError("model.backbone: networks of timm need that package. Run `pip install timm`.")
    try:
        known = version(_DISTRIBUTIONS.get(package, package))
    except PackageNotFoundError:
        known = ""
    digest = hashlib.blake2b(json.dumps([_VERSION, config, known]).encode(), digest_size=12).hexdigest()
    file = paths.cache_dir() / "backbones" / f"{digest}.json"
    with contextlib.suppress(OSError, ValueError):
        return _read(json.loads(file.read_text(encoding="utf-8")))
    command = [sys.executable, "-m", "harness.benchmarks.parts.measure"]
    done = subprocess.run(command, input=config, capture_output=True, text=True, check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        reason = done.stderr.strip()[-300:] or "it said nothing"
        raise UsageError(f"model.backbone: the process that looks at it ended with status {done.returncode}: {reason}.") from None
    if isinstance(told, str):
        raise UsageError(told)
    with contextlib.suppress(OSError):  # what cannot be remembered is asked again
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(told))
    return _read(told)


def _read(told: Any) -> Maps:
    """
    Raises:
        ValueError: it is not what was written.
    """
    if not isinstance(told, list) or not all(isinstance(one, list) and len(one) == 2 for one in told):
        raise ValueError("no list of widths and strides")
    return [(int(width), None if stride is None else int(stride)) for width, stride in told]
