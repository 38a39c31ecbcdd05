"""Learnable region features, with both terms and with each alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from proofs import slow
from proofs.proof import EquationProof
from proofs.relation import agree, boxes, build, sample
from proofs.slow import State

SIZE, INSIDE, OUTSIDE, REGIONS = 7, 14, 10, 3
POINTS = INSIDE**2 + OUTSIDE**2
SMALL = {"size": 2, "stride": 8, "inside": 3, "outside": 2, "embedding": 4, "width": 3}


def waves(value: float, count: int) -> list[float]:
    return [f(value / 1000 ** (2 * i / count)) for f in (math.sin, math.cos) for i in range(count // 2)]


def at(image: Tensor, x: float, y: float) -> Tensor:
    """A map (C, H, W) between the middles of its cells, the outermost beyond."""
    height, width = image.shape[1:]
    column, row = (min(max(v / SMALL["stride"] - 0.5, 0), top - 1) for v, top in ((x, width), (y, height)))
    left, top = min(int(column), width - 2), min(int(row), height - 2)
    a, b = column - left, row - top
    upper = (1 - a) * image[:, top, left] + a * image[:, top, left + 1]
    lower = (1 - a) * image[:, top + 1, left] + a * image[:, top + 1, left + 1]
    return (1 - b) * upper + b * lower


def grid(x0: float, y0: float, x1: float, y1: float, count: int) -> list[tuple[float, float]]:
    return [(x0 + (x1 - x0) * (j + 0.5) / count, y0 + (y1 - y0) * (i + 0.5) / count) for i in range(count) for j in range(count)]


def features(x: Tensor, rois: Tensor, state: State, form: str) -> Tensor:
    size, embedding, width = SMALL["size"], SMALL["embedding"], SMALL["width"]
    out = []
    for number, *box in rois.tolist():
        image = x[int(number)]
        edges = (0, 0, image.shape[2] * SMALL["stride"], image.shape[1] * SMALL["stride"])
        points = [*grid(*box, SMALL["inside"]), *grid(*edges, SMALL["outside"])]
        values = [at(image, *point) for point in points]
        parts = []
        for k in range(size * size):
            logits = [x.new_zeros(()) for _ in points]
            if form != "appearance":
                where = torch.tensor([w for coordinate in box for w in waves(coordinate, embedding)], dtype=torch.double)
                part = state["parts.weight"][k * width : (k + 1) * width] @ (state["region.weight"] @ where)
                seen = [torch.tensor(waves(px, embedding) + waves(py, embedding), dtype=torch.double) for px, py in points]
                logits = [logit + part @ (state["point.weight"] @ one) for logit, one in zip(logits, seen, strict=True)]
            if form != "geometry":
                logits = [logit + state["look.weight"][k, :, 0, 0] @ value for logit, value in zip(logits, values, strict=True)]
            parts.append(slow.weighted(slow.softmax(logits), values))
        out.append(torch.stack(parts, 1).unflatten(1, (size, size)))
    return torch.stack(out)


def equals_its_equation(form: str) -> None:
    module = build("learnable-region-features", channels=4, form=form, **SMALL)
    x = sample(2, 4, 5, 6).requires_grad_()
    # the second image first; one region sticks out of its image
    rois = torch.cat([torch.tensor([[1.0], [0.0], [1.0]], dtype=torch.double), boxes(3) - 12], 1)
    agree(module, lambda: module(x, rois), lambda state: features(x, rois, state, form), x)


def flops(form: str):
    """Counted for three regions of one image, with E = 2d and D = d."""

    def count(d: int, n: int) -> int:
        parts, e = SIZE * SIZE, 2 * d
        sums = REGIONS * parts * POINTS * d
        look = n * d * parts
        once = REGIONS * (4 * e * e + e * parts * d)
        points = 2 * (REGIONS * INSIDE + OUTSIDE) * e * d + REGIONS * parts * 2 * (INSIDE + OUTSIDE) * d
        return 2 * (sums + (look if form != "geometry" else 0) + (once + points if form != "appearance" else 0))

    return count


def proof(form: str) -> EquationProof:
    return EquationProof(
        equation=lambda: equals_its_equation(form),
        flops=flops(form),
        offers={"attention": (1, SIZE * SIZE, POINTS)},
        sets=2 * REGIONS,
        rebuilt="test_regions: parts are sums over the points that the weights are of",
    )


PROOFS = {
    "learnable-region-features": proof("both"),
    "learnable-region-features-geometry": proof("geometry"),
    "learnable-region-features-appearance": proof("appearance"),
}
