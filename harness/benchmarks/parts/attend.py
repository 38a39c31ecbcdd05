"""Build an OpenMMLab model with its attention slots filled."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, cast

from mmengine.config import ConfigDict
from mmengine.logging import print_log
from mmengine.registry import MODELS
from torch import nn

from harness.benchmarks.parts.encoder import fill_encoder
from harness.benchmarks.parts.foreign import is_timm_transformer
from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.benchmarks.parts.insert import insert_blocks
from harness.benchmarks.parts.weights import load_backbone


@MODELS.register_module(name="Attend")  # type: ignore[untyped-decorator]  # mmengine has no types
def attend(
    model: dict[str, Any],
    blocks: Sequence[dict[str, Any]] = (),
    weights: dict[str, Any] | None = None,
    frozen: bool = False,
    input_size: Sequence[int] = (224, 224),
    data_preprocessor: dict[str, Any] | None = None,
    encoder: dict[str, Any] | None = None,
) -> nn.Module:
    """Build ``model``, load its backbone's weights, fill its ``block`` slot and freeze what is to be frozen.

    The blocks come last, so that for one seed every method starts from the same host model. The model's ``notes`` say which
    weights were loaded.

    Args:
        model: config of an OpenMMLab model with a ``backbone``, of any toolbox.
        blocks: places, plugins and parameters, see :func:`insert_blocks`.
        weights: see :class:`harness.benchmarks.options.Weights`.
        frozen: keep the backbone fixed and reuse its features.
        input_size: (H, W) of the images.
        encoder: what goes into a transformer's encoder, the arguments of :func:`fill_encoder`.
        data_preprocessor: given by mmengine's Runner when the config has one beside the model.
    """
    config = dict(ConfigDict(model))  # mmdet's detectors read parts of theirs by attribute
    if data_preprocessor is not None:
        config.setdefault("data_preprocessor", data_preprocessor)
    if isinstance(neck := config.get("neck"), dict) and neck.get("type") == "PluginPooling":
        config["neck"] = {**neck, "transformer": is_transformer(**model["backbone"])}
    built = MODELS.build(config)
    if hasattr(built, "init_weights"):
        built.init_weights()
    built.notes = [load_backbone(built.backbone, weights)] if weights else []
    for note in built.notes:
        print_log(note, "current")
    if frozen:
        built.backbone = FrozenBackbone(built.backbone, json.dumps(model["backbone"], sort_keys=True))
    size = cast(tuple[int, int], tuple(input_size))
    if encoder:
        fill_encoder(built, size, **encoder)
    if blocks:
        insert_blocks(built, list(blocks), size)
    # the Runner calls this before training, and would overwrite the weights just loaded
    built.init_weights = lambda: None
    return cast(nn.Module, built)


def is_transformer(type: str, name: str = "", **_options: Any) -> bool:
    """Whether a backbone is a vision transformer: of a class of that name in any toolbox, or derived from one, or timm's.

    Args:
        type, name: of its config.
    """
    if type == "TimmBackbone":
        return is_timm_transformer(name)
    cls = MODELS.get(type)
    return cls is not None and any(base.__name__ == "VisionTransformer" for base in inspect.getmro(cls))
