"""Deformable DETR."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch

from harness.benchmarks.backbones import Features
from harness.benchmarks.detection.detectors import DETECTORS
from harness.benchmarks.detection.options import DetectionModel
from proofs.detectors import CHANNELS, CLASSES, build, images, theirs
from proofs.proof import EquationProof, N

NAMES = {
    "neck.convs.0.conv": "projections.0.0",
    "neck.convs.0.gn": "projections.0.1",
    "neck.convs.1.conv": "projections.1.0",
    "neck.convs.1.gn": "projections.1.1",
    "neck.extra_convs.0.conv": "projections.2.0",
    "neck.extra_convs.0.gn": "projections.2.1",
    "query_embedding": "queries",
    "reference_points_fc": "reference",
    "level_embed": "level",
    **{f"bbox_head.cls_branches.{layer}": "classify" for layer in range(2)},
    **{f"bbox_head.reg_branches.{layer}": "box" for layer in range(2)},
    "": "",
}
HOST = Features({}, [*CHANNELS], [8, 16], 0)


class Size(NamedTuple):
    dim: int
    heads: int
    queries: int
    feedforward: int
    levels: int
    layers: int = 2
    points: int = 4


def equals_mmdets(size: Size) -> None:
    """With the weights of mmdet's class, which the harness's own benchmarks use, one image padded. Its heads are eight."""
    module = build("deformable-detr", **{**size._asdict(), "heads": 8})
    options = DetectionModel(
        detector="deformable-detr",
        channels=size.dim,
        layers=size.layers,
        queries=size.queries,
        feedforward=size.feedforward,
        outputs=size.levels,
    )
    config = DETECTORS["deformable-detr"](options, HOST, CLASSES, {})
    # the plugin's groups are as many as divide any width
    config["neck"]["norm_cfg"]["num_groups"] = module.projections[0][1].num_groups
    for mine, exact in zip(module(*images()), theirs(config, NAMES, module), strict=True):
        assert mine.shape[:3] == (size.layers, 2, size.queries)
        torch.testing.assert_close(mine, exact, rtol=1e-6, atol=1e-7)


def maps(size: Size, c: int, n: int) -> list[tuple[int, int]]:
    """Positions of each level, and multiply-adds of one: maps of 4n positions with c/2 channels and of n with c; the rest is made."""
    made = [(4 * n, c // 2 * size.dim), (n, c * size.dim), (n // 4, 9 * c * size.dim)]
    return made[: size.levels]


def flops(size: Size, c: int, n: int) -> int:
    d, q, hidden = size.dim, size.queries, size.feedforward
    levels = maps(size, c, n)
    positions, read = sum(many for many, _ in levels), size.heads * size.levels * size.points * 3
    encoder = positions * (2 * d * d + read * d + 2 * d * hidden)
    decoder = q * (4 * d * d + 2 * q * d) + positions * d * d + q * (d * d + read * d + 2 * d * hidden)
    heads = q * (d * CLASSES + 2 * d * d + 4 * d)
    return 2 * (sum(many * each for many, each in levels) + q * d * 2 + size.layers * (encoder + decoder + heads))


def proof(size: Size) -> EquationProof:
    positions, points = sum(many for many, _ in maps(size, 0, N)), size.levels * size.points
    of_encoder, of_decoder = {"attention": (size.heads, positions, points)}, {"attention": (size.heads, size.queries, points)}
    return EquationProof(
        equation=partial(equals_mmdets, size),
        sized=size._asdict(),
        flops=partial(flops, size),
        offers=[of_encoder] * size.layers + [of_decoder] * size.layers,
        times=2 * size.layers,
        rebuilt="test_detectors: layers follow from their maps",
    )


PROOFS = {
    "deformable-detr": proof(Size(dim=16, heads=4, queries=5, feedforward=12, levels=3)),
    "deformable-detr-small": proof(Size(dim=64, heads=8, queries=30, feedforward=256, levels=2)),
}
