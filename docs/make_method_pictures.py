"""Draw what every method attends to on three images: python docs/make_method_pictures.py [METHOD ...]

All methods learn the same small task alike: the class of the ringed object in scenes of 224 pixels, from the frozen
features of an ImageNet MobileNetV2 (14 x 14 positions). A convolution to 64 channels comes before the method and an
average and a linear layer behind it; encoder layers come in pairs, blocks and contexts alone. Masks are drawn from the
attention of the trained ``vit-cls``.
"""

from __future__ import annotations

import sys
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
from harness.benchmarks.backbones import BACKBONES
from harness.catalog import Method, load_catalog
from harness.catalog.plugins import discover, load, owners
from harness.diagnostics.pictures import overlay
from harness.openmmlab import setup
from harness.slots import AttentionState

FOLDER = Path(__file__).parent / "pictures" / "methods"
SIDE, WIDTH, HEADS, CLASSES = 224, 64, 4, 6
TRAIN, TEST, EPOCHS, BATCH = 480, 24, 15, 40
PANEL, STRIP = 128, 16


@dataclass
class Scenes:
    """Features (B, 96, 14, 14) and labels to learn from, and three pictures to look at."""

    features: Tensor
    labels: Tensor
    shown: Tensor
    """Features of the three pictures."""
    pictures: list[np.ndarray]
    """RGB, PANEL pixels wide."""
    centres: list[tuple[float, float]]
    """(y, x) of the ringed object, in shares of the side."""


def scenes() -> Scenes:
    """The scenes behind the frozen backbone, which a benchmark of the registry names with its weights."""
    from mmpretrain.registry import MODELS

    from harness.benchmarks.parts.weights import load_backbone

    catalog = load_catalog()
    changes = {"train": TRAIN, "test": TEST, "size": SIDE, "classes": CLASSES}
    bench = catalog.benchmarks["scenes-classification"]
    root = data.ensure(bench.model_copy(update={"data": {**bench.data, **changes}}), None)
    backbone = MODELS.build(BACKBONES["mobilenet-v2-s16"]["config"])
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
    small = [cv2.resize(image, (PANEL, PANEL), interpolation=cv2.INTER_AREA) for image in tests[:3]]
    return Scenes(extract(images), labels, extract(tests[:3]), small, [centre(file) for file in files[:3]])


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
        with slots.observing(lambda module, values: states.append(AttentionState(values["q"], values["k"]))):
            loss = F.cross_entropy(self(x), labels)
        return loss + self.loss(states)


def look(host: Host, seen: Scenes) -> dict[str, Tensor]:
    """What the method offers on the three pictures; of several layers or passes, the last."""
    offered: dict[str, Any] = {}
    host.eval()
    with torch.no_grad(), slots.observing(lambda module, values: offered.update(values)):
        host(seen.shown)
        return {name: value if isinstance(value, Tensor) else value() for name, value in offered.items()}


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


def rows(offered: dict[str, Tensor], centres: list[tuple[float, float]]) -> dict[str, list[np.ndarray]]:
    """Title -> one map (H, W) per picture."""
    found: dict[str, Tensor] = {}
    if "attention" in offered:
        attention = offered["attention"].mean(1)
        queries, keys = attention.shape[1:]
        side = round(queries**0.5)
        if queries == keys:
            cells = [int(y * side) * side + int(x * side) for y, x in centres]
            found["attention of the query at the cross"] = torch.stack([a[cell] for a, cell in zip(attention, cells, strict=True)])
            found["mean over all queries"] = attention.mean(1)
        else:
            best = attention.var(1).argmax(1)
            found["share of one key, the one that varies most"] = torch.stack([a[:, key] for a, key in zip(attention, best, strict=True)])
        found = {title: maps.unflatten(1, (side, side)) for title, maps in found.items()}
    if "map" in offered:
        maps = offered["map"]
        few = maps.shape[1] <= HEADS and maps.shape[1] > 1
        titles = [f"map {index + 1} of {maps.shape[1]}" for index in range(maps.shape[1])] if few else ["map"]
        found |= dict(zip(titles, maps.unbind(1) if few else [maps.mean(1)], strict=True))
    return {title: [m.numpy() for m in maps] for title, maps in found.items() if (maps.amax((1, 2)) - maps.amin((1, 2))).max() > 1e-9}


def masks(method: Method, teacher: Tensor) -> dict[str, list[np.ndarray]]:
    """The mask of a masking method for the teacher's attention (3, h, H, W), 1 where a token stays."""
    (filling,) = method.slots.values()
    generator = torch.Generator().manual_seed(0)
    params = {**filling.params, "masking_prob": 1.0, "low": 0.3, "high": 0.3}
    mask = slots.build(filling.plugin, params)(teacher.mean(1).flatten(1), generator)
    return {"mask, r = 0.3": [(~m).float().numpy() for m in mask.unflatten(1, teacher.shape[2:])]}


def draw(titled: dict[str, list[np.ndarray]], seen: Scenes, *, grey: bool = False) -> np.ndarray:
    """One row per title, one panel per picture."""
    lines = []
    for title, maps in titled.items():
        panels = []
        for picture, heat, (y, x) in zip(seen.pictures, maps, seen.centres, strict=True):
            if grey:
                kept = cv2.resize(heat, (PANEL, PANEL), interpolation=cv2.INTER_NEAREST)[..., None]
                panel = (picture * kept + 128 * (1 - kept)).astype(np.uint8)
            else:
                panel = np.ascontiguousarray(overlay(picture, heat))
            if "cross" in title:
                cv2.drawMarker(panel, (int(x * PANEL), int(y * PANEL)), (255, 60, 60), cv2.MARKER_CROSS, 11, 2)
            panels.append(panel)
        strip = np.full((STRIP, 3 * PANEL, 3), 255, np.uint8)
        cv2.putText(strip, title, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        lines += [strip, np.concatenate(panels, axis=1)]
    return np.concatenate(lines)


def write(name: str, picture: np.ndarray) -> None:
    """As a JPEG, a tenth of the size of a PNG."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(FOLDER / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])


def main(wanted: list[str]) -> None:
    """Write ``docs/pictures/methods/<method>.jpg`` for every method with a map, and the three pictures themselves."""
    setup()
    plugins = owners(discover())
    methods = [m for m in load_catalog().methods.values() if m.state != "planned" and m.slot != "model" and (not wanted or m.id in wanted)]
    for name in {filling.plugin for method in methods for filling in method.slots.values()} | {"vit-cls", "encoder-layer", "learnable-pe"}:
        load(plugins[name])
    seen = scenes()
    write("images", np.concatenate(seen.pictures, axis=1))
    teacher = learn(load_catalog().methods["vit-cls"], seen)["map"] if any(m.slot == "masking" for m in methods) else None
    for method in methods:
        titled = masks(method, teacher) if method.slot == "masking" else rows(learn(method, seen), seen.centres)
        if titled:
            write(method.id, draw(titled, seen, grey=method.slot == "masking"))
        print(f"{method.id}: {', '.join(titled) or 'no map, or a uniform one'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
