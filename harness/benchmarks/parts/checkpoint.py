"""Read the tensors of a checkpoint file, without executing anything it holds."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from harness.errors import UsageError


class _Inert:
    """Stands for an object of a class that is no tensor: made of anything, and keeping nothing."""

    def __new__(cls, *_args: Any, **_options: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_options: Any):
        pass

    def __setstate__(self, _state: Any) -> None:
        pass

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass


def read(file: Path) -> dict[str, Tensor]:
    """All tensors of a file in their order, those of an optimizer aside; in nested mappings by their dotted names.

    Read are safetensors and what ``torch.save`` wrote. What a trainer keeps beside the tensors (counters, settings, its own
    objects) is passed over unseen: of the file's classes none is imported.

    Raises:
        UsageError: it is neither, holds a whole pickled model, or no tensor.
    """
    content = _content(file)
    try:
        tensors = {name: value for name, value in _tensors(content) if not name.startswith("optim")}
    except RecursionError:
        raise UsageError(f"model.weights: {file} is refused: it is nested without end. Save the model's state_dict().") from None
    if not tensors:
        whole = isinstance(content, _Inert) or (isinstance(content, dict) and any(isinstance(v, _Inert) for v in content.values()))
        reason = "it holds a pickled object, and loading that could run code" if whole else "it holds no tensors by name"
        raise UsageError(f"model.weights: {file} is refused: {reason}. Save the model's state_dict().")
    return tensors


def _content(file: Path) -> Any:
    try:
        if _is_safetensors(file):
            return load_file(file)
        with torch.serialization.safe_globals([(_Inert, name) for name in _unknown_classes(file)]):
            return torch.load(file, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise UsageError(f"model.weights: {file} is refused: it is cut off or no safetensors file ({error}). Fetch it again.") from error
    except Exception as error:  # of what is cut off or made up torch says it by any of them
        if other := _other(file):
            raise UsageError(f"model.weights: {file} is refused: {other}") from None
        unsafe = "weights_only" in str(error).lower()
        reason = "it holds more than tensors, and loading it could run code" if unsafe else "it is not a checkpoint, or cut off"
        raise UsageError(f"model.weights: {file} is refused: {reason}. Give a file with a plain state dict.") from error


_SHARD = re.compile(r"-\d+-of-(\d+)\.\w+$")
"""How Hugging Face ends the names of files that hold a part of one network each."""


def part_of(file: Path) -> str:
    """What to do about a file that is a part of a network, as a sentence to append; nothing where the name tells of no others."""
    told = _SHARD.search(file.name)
    if told is None or int(told[1]) < 2:
        return ""
    return f" By its name it is one of {int(told[1])} files that hold a network together: join their tensors in one file, and give that."


def _other(file: Path) -> str | None:
    """What a file is that holds no tensors of torch, and the mend."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if all(name.endswith(".npy") for name in archive.namelist()):
                return "it holds arrays of NumPy (.npz). Save them as tensors: torch.save({name: torch.from_numpy(array), ...}, FILE)."
    with file.open("rb") as stream:
        if not stream.read(64).lstrip().startswith(b"{"):
            return None
    if file.name.endswith(".index.json"):
        return "it says which file holds which tensor, and holds none. Join the tensors of these files in one, and give that."
    return "it is JSON or other text, and holds no tensors. Give the file of the weights."


def _is_safetensors(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(9)
    # the length of a JSON header, then the header
    return head[5:] == b"\0\0\0{"


def _unknown_classes(file: Path) -> Iterable[str]:
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except ValueError:  # of before torch 1.6, which does not tell
        return []


def _tensors(content: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        if content.layout == torch.strided and not content.is_quantized and not content.is_meta:  # others hold no values that can be taken
            yield place, content
    elif isinstance(content, (dict, list, tuple)):
        for name, item in content.items() if isinstance(content, dict) else enumerate(content):
            yield from _tensors(item, f"{place}.{name}" if place else str(name))
