"""Classes of the toolboxes that the harness recognises in a config, by their bare names."""

from __future__ import annotations

MODELS = {"DETR": "encoder.layers", "ConditionalDETR": "encoder.layers", "DABDETR": "encoder.layers"}
"""Models with a transformer of their own -> the layers of its encoder."""

ENCODERS = {
    name: "backbone.layers"
    for name in ("VisionTransformer", "DistilledVisionTransformer", "BEiT", "BEiTViT", "DeiT3", "MAEViT", "ViTEVA02")
}
"""Backbones that are a transformer's encoder -> its layers."""

TOOLBOXES = ("mmseg", "mmpose", "mmpretrain", "mmdet")


def bare(name: str) -> str:
    """The name of a class without its toolbox."""
    return name.rpartition(".")[2] if isinstance(name, str) else ""
