"""The mmengine config of a trial of mask propagation, as plain dictionaries: it has a test and no training."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import backbones, config
from harness.benchmarks.base import DATA
from harness.benchmarks.mask_propagation.options import NoSchedule, PropagationData, PropagationModel
from harness.catalog import Filling


def compose(data: PropagationData, model: PropagationModel, _schedule: NoSchedule, _fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, test and evaluator of one trial; no method fills a slot of it."""
    host = backbones.features(model, None if model.level is None else [model.level])
    network = {
        "type": "MaskPropagation",
        "data_preprocessor": {"type": "mmpretrain.ClsDataPreprocessor", **config.preprocessing(model), "to_rgb": True},
        "backbone": host.config,
        "propagation": {
            name: getattr(model, name) for name in ("context", "radius", "neighbours", "temperature", "upsampling", "stretched")
        },
    }
    dataset = {"type": "TrackedObjects", "data_root": DATA, "options": data.model_dump(mode="json", exclude={"root"}), "test_mode": True}
    return {
        "default_scope": "mmpretrain",
        "model": config.attend(network, model, {}, (data.size, data.size)),
        "test_dataloader": config.loader(dataset, 1, train=False),
        "test_evaluator": {"type": "RegionsAndBoundaries"},
        "test_cfg": {},
        "custom_hooks": [{"type": "DrawPropagated"}],
    }
