"""Load pretrained weights into a backbone, without executing anything the file holds."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from harness.benchmarks import weights as source
from harness.benchmarks.options import Weights
from harness.errors import UsageError


def load_backbone(backbone: nn.Module, weights: dict[str, Any]) -> None:
    """Load a checkpoint into ``backbone``.

    Accepted are OpenMMLab checkpoints (``state_dict`` with or without a ``backbone.`` prefix), and plain
    state dicts of another library's version of the same network: their tensors are matched in order, and
    only if every shape agrees.

    Raises:
        UsageError: not a checkpoint, an unsafe one, or one of another network.
    """
    file = source.find(Weights.model_validate(weights))
    state = _state_dict(file)
    own = backbone.state_dict()
    for candidate in (state, {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}):
        if own.keys() <= candidate.keys() and all(candidate[k].shape == own[k].shape for k in own):
            backbone.load_state_dict({k: candidate[k] for k in own})
            return
    backbone.load_state_dict(_match_by_order(own, state, file))


def _state_dict(file: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        reason = (
            "it holds more than tensors, and loading it could run code"
            if "weights_only" in str(error).lower()
            else "it is not a checkpoint"
        )
        raise UsageError(f"model.weights: {file} is refused: {reason}. Give a file with a plain state dict.") from error
    if isinstance(content, dict):
        content = content.get("state_dict", content.get("model", content))
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UsageError(f"model.weights: {file} is refused: it is not a state dict (names to tensors).")
    return content


def _match_by_order(own: dict[str, Tensor], state: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    # torchvision and OpenMMLab register the same layers in the same order under other names; the
    # classifier at the end of the file has no counterpart in a backbone, and a backbone may stop early
    names = [name for name in own if not name.endswith("num_batches_tracked")]
    theirs = [value for name, value in state.items() if not name.endswith("num_batches_tracked")]
    matched = dict(zip(names, theirs, strict=False))
    wrong = next((n for n in names if n not in matched or matched[n].shape != own[n].shape), None)
    if wrong is not None:
        found = tuple(matched[wrong].shape) if wrong in matched else "nothing"
        raise UsageError(
            f"model.weights: {file} is of another network: '{wrong}' has shape {tuple(own[wrong].shape)}, "
            f"the file has {found} in its place."
        )
    return {**own, **matched}
