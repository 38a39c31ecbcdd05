"""Draw what every method attends to on three images: python docs/make_method_pictures.py [METHOD ...]

Each learns the same task alike before (docs/picture_task.py). Masks are drawn from the attention of the trained ``vit-cls``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from picture_task import HEADS, SHOWN, Scenes, learn, scenes
from torch import Tensor

from harness import slots
from harness.catalog import Method, load_catalog
from harness.catalog.plugins import discover, load, owners
from harness.diagnostics.overlays import overlays
from harness.openmmlab import setup

FOLDER = Path(__file__).parent / "pictures" / "methods"
PANEL, STRIP = 128, 16


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


def small(seen: Scenes) -> list[np.ndarray]:
    """The pictures, PANEL pixels wide."""
    return [cv2.resize(picture, (PANEL, PANEL), interpolation=cv2.INTER_AREA) for picture in seen.pictures]


def draw(titled: dict[str, list[np.ndarray]], seen: Scenes, *, grey: bool = False) -> np.ndarray:
    """One row per title, one panel per picture."""
    lines = []
    for title, maps in titled.items():
        panels = []
        for picture, heat, (y, x) in zip(small(seen), maps, seen.centres, strict=True):
            if grey:
                kept = cv2.resize(heat, (PANEL, PANEL), interpolation=cv2.INTER_NEAREST)[..., None]
                panel = (picture * kept + 128 * (1 - kept)).astype(np.uint8)
            else:
                panel = overlays(picture, [heat])
            if "cross" in title:
                cv2.drawMarker(panel, (int(x * PANEL), int(y * PANEL)), (255, 60, 60), cv2.MARKER_CROSS, 11, 2)
            panels.append(panel)
        strip = np.full((STRIP, SHOWN * PANEL, 3), 255, np.uint8)
        cv2.putText(strip, title, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        lines += [strip, np.concatenate(panels, axis=1)]
    return np.concatenate(lines)


def write(name: str, picture: np.ndarray) -> None:
    """As a JPEG, a tenth of the size of a PNG."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(FOLDER / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])


def main(wanted: list[str]) -> None:
    """Write ``docs/pictures/methods/<method>.jpg``: of the wanted methods, or of all with a map and the three images themselves.

    Detectors are left out: what they look for is not in these images."""
    setup()
    plugins = owners(discover())
    methods = [
        m
        for m in load_catalog().methods.values()
        if m.state != "planned" and m.slot not in ("model", "detector") and (not wanted or m.id in wanted)
    ]
    for name in {filling.plugin for method in methods for filling in method.slots.values()} | {"vit-cls", "encoder-layer", "learnable-pe"}:
        load(plugins[name])
    seen = scenes()
    if not wanted:
        write("images", np.concatenate(small(seen), axis=1))
    teacher = learn(load_catalog().methods["vit-cls"], seen)["map"] if any(m.slot == "masking" for m in methods) else None
    for method in methods:
        titled = masks(method, teacher) if method.slot == "masking" else rows(learn(method, seen), seen.centres)
        if titled:
            write(method.id, draw(titled, seen, grey=method.slot == "masking"))
        print(f"{method.id}: {', '.join(titled) or 'no map, or a uniform one'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
