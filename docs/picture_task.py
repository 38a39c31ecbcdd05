"""The small task that every method learns before it is drawn: scenes, a host model, a short training.

The label is the class of the ringed object in scenes of 224 pixels, seen through the frozen features of an ImageNet
MobileNetV2 (14 x 14 positions). A convolution to 64 channels comes before the method and an average and a linear layer
behind it; encoder layers come in pairs, blocks and contexts alone.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness import data, slots
from harness.benchmarks import task
from harness.benchmarks.backbones import BACKBONES
from harness.catalog import Method, load_catalog
from harness.slots import AttentionState

SIDE, WIDTH, HEADS, CLASSES = 224, 64, 4, 6
TRAIN, TEST, EPOCHS, BATCH = 480, 24, 15, 40
SHOWN = 3


@dataclass
class Scenes:
    """Features (B, 96, 14, 14) and labels to learn from, and three pictures to look at."""

    features: Tensor
    labels: Tensor
    shown: Tensor
    """Features of the three pictures."""
    pictures: list[np.ndarray]
    """RGB."""
    centres: list[tuple[float, float]]
    """(y, x) of the ringed object, in shares of the side."""


def scenes() -> Scenes:
    """The scenes behind the frozen backbone, which a benchmark of the registry names with its weights."""
    from mmpretrain.registry import MODELS

    from harness.benchmarks.parts.weights import load_backbone

    catalog = load_catalog()
    changes = {"train": TRAIN, "test": TEST, "size": SIDE, "classes": CLASSES}
    bench = catalog.benchmarks["scenes-classification"]
    root = data.ensure(task(bench.model_copy(update={"data": {**bench.data, **changes}})), None)
    chosen = BACKBONES["mobilenet-v2-s16"]
    backbone = MODELS.build({**chosen.config, "out_indices": (chosen.last,)})
    load_backbone(backbone, catalog.benchmarks["rooms"].model["weights"])
    backbone.eval()

    def read(split: str) -> tuple[list[Path], list[np.ndarray], Tensor]:
        files = sorted((root / split).glob("*/*.png"), key=lambda file: file.stem)
        names = sorted({file.parent.name for file in files})
        return files, [cv2.imread(str(file))[..., ::-1] for file in files], torch.tensor([names.index(file.parent.name) for file in files])

    @torch.no_grad()
    def extract(images: list[np.ndarray]) -> Tensor:
        normal = (torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1), torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1))
        inputs = torch.stack([(torch.from_numpy(image.copy()).permute(2, 0, 1).float() - normal[0]) / normal[1] for image in images])
        return torch.cat([backbone(part)[0] for part in inputs.split(BATCH)])

    def centre(file: Path) -> tuple[float, float]:
        box = ElementTree.parse(root / "Annotations" / f"{file.stem}.xml").find("object/bndbox")
        x0, y0, x1, y1 = (int(box.findtext(tag)) for tag in ("xmin", "ymin", "xmax", "ymax"))
        return (y0 + y1) / 2 / SIDE, (x0 + x1) / 2 / SIDE

    _, images, labels = read("train")
    files, tests, _ = read("test")
    shown = tests[:SHOWN]
    return Scenes(extract(images), labels, extract(shown), shown, [centre(file) for file in files[:SHOWN]])


class Host(nn.Module):
    """The method between a convolution and a linear classifier; in the encoder slots, two layers over the tokens."""

    def __init__(self, method: Method):
        super().__init__()
        filled = {slot: (filling.plugin, filling.params) for slot, filling in method.slots.items()}
        self.stem = nn.Sequential(nn.Conv2d(96, WIDTH, 1), nn.BatchNorm2d(WIDTH), nn.ReLU())
        self.classify = nn.Linear(WIDTH, CLASSES)
        self.position = self.loss = None
        if filled.keys() & {"encoder_attention", "position_encoding", "attention_loss"}:
            layer, place = (filled.get(slot, (slots.SLOTS[slot].baseline, {})) for slot in ("encoder_attention", "position_encoding"))
            sizes = {"dim": WIDTH, "heads": HEADS, "ffn_dim": WIDTH, "dropout": 0.0, "depth": 2}
            self.body = nn.ModuleList(slots.build(*layer, **sizes) for _ in range(2))
            self.position = slots.build(*place, dim=WIDTH, heads=HEADS)
            if "attention_loss" in filled:
                self.loss = slots.build(*filled["attention_loss"])
        else:
            ((plugin, params),) = filled.values()
            self.body = slots.build(plugin, params, channels=WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, 96, H, W) -> logits (B, classes)."""
        x = self.stem(x)
        if self.position is not None:
            position, x = self.position(*x.shape[2:]), x.flatten(2).transpose(1, 2)
            for layer in self.body:
                x = layer(x, position)
            return self.classify(x.mean(1))
        x = self.body(x)
        return self.classify(x if x.ndim == 2 else x.mean((2, 3)))

    def objective(self, x: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy, plus the attention loss where there is one."""
        if self.loss is None:
            return F.cross_entropy(self(x), labels)
        states: list[AttentionState] = []
        with slots.observing(lambda module, values: states.append(AttentionState(*(slots.value_of(values[name]) for name in "qk")))):
            loss = F.cross_entropy(self(x), labels)
        return loss + self.loss(states)


def look(host: Host, seen: Scenes) -> dict[str, Tensor]:
    """What the method offers on the three pictures; of several layers or passes, the last."""
    offered: dict[str, Any] = {}
    host.eval()
    with torch.no_grad(), slots.observing(lambda module, values: offered.update(values)):
        host(seen.shown)
        return {name: slots.value_of(value) for name, value in offered.items()}


def learn(method: Method, seen: Scenes) -> dict[str, Tensor]:
    """Train and look; a method that offers no map is not trained."""
    torch.manual_seed(0)
    host = Host(method)
    if not look(host, seen).keys() & {"map", "attention"}:
        return {}
    host.train()
    optimizer = torch.optim.AdamW([p for p in host.parameters() if p.requires_grad], lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=EPOCHS * (TRAIN // BATCH))
    for _ in range(EPOCHS):
        for chosen in torch.randperm(TRAIN).split(BATCH):
            optimizer.zero_grad()
            host.objective(seen.features[chosen], seen.labels[chosen]).backward()
            nn.utils.clip_grad_norm_(host.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return look(host, seen)
