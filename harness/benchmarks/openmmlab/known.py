"""Classes of the toolboxes that the harness recognises in a config, by their bare names."""

from __future__ import annotations

MODELS = {"DETR": "encoder.layers", "ConditionalDETR": "encoder.layers", "DABDETR": "encoder.layers"}
"""Models with a transformer of their own -> the layers of its encoder."""

ENCODERS = {
    name: "backbone.layers"
    for name in ("VisionTransformer", "DistilledVisionTransformer", "BEiT", "BEiTViT", "DeiT3", "MAEViT", "ViTEVA02")
}
"""Backbones that are a transformer's encoder -> its layers."""

DATA_PARTS = (
    "default_scope",
    "custom_imports",
    *(f"{split}_{part}" for split in ("train", "val", "test") for part in ("dataloader", "evaluator")),
    "val_cfg",
    "test_cfg",
    "log_processor",
)
"""Parts of a config that are a benchmark's data."""

SCHEDULE_PARTS = ("optim_wrapper", "param_scheduler", "train_cfg", "auto_scale_lr", "custom_hooks", "default_hooks")
"""Those that are its schedule."""

TOOLBOXES = ("mmseg", "mmpose", "mmpretrain", "mmdet")


def bare(name: str) -> str:
    """The name of a class without its toolbox."""
    return name.rpartition(".")[2] if isinstance(name, str) else ""
