"""DETR."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch

from harness.benchmarks.backbones import Features
from harness.benchmarks.detection.detectors import DETECTORS
from harness.benchmarks.detection.options import DetectionModel
from proofs.detectors import CHANNELS, CLASSES, build, images, theirs
from proofs.proof import EquationProof, H, N, W

NAMES = {
    "neck.convs.0.conv": "project",
    "query_embedding": "queries",
    "bbox_head.fc_cls": "classify",
    "bbox_head.reg_ffn.layers.0.0": "box.0",
    "bbox_head.reg_ffn.layers.1": "box.2",
    "bbox_head.fc_reg": "box.4",
    "": "",
}
HOST = Features({}, [CHANNELS[-1]], [16], 0)


class Size(NamedTuple):
    dim: int
    heads: int
    layers: int
    queries: int
    feedforward: int


def equals_mmdets(size: Size) -> None:
    """With the weights of mmdet's class, which the harness's own benchmarks use, one image padded. Its heads are eight."""
    module = build("detr", **{**size._asdict(), "heads": 8})
    options = DetectionModel(detector="detr", channels=size.dim, layers=size.layers, queries=size.queries, feedforward=size.feedforward)
    for mine, exact in zip(module(*images()), theirs(DETECTORS["detr"](options, HOST, CLASSES, {}), NAMES, module), strict=True):
        assert mine.shape[:3] == (size.layers, 2, size.queries)
        torch.testing.assert_close(mine, exact, rtol=1e-6, atol=1e-7)


def flops(size: Size, c: int, n: int) -> int:
    d, q, hidden = size.dim, size.queries, size.feedforward
    encoder = n * (4 * d * d + 2 * d * hidden) + 2 * n * n * d
    decoder = q * (6 * d * d + 2 * d * hidden) + 2 * n * d * d + 2 * q * q * d + 2 * q * n * d
    heads = q * (d * (CLASSES + 1) + 2 * d * d + 4 * d)
    return 2 * (n * c * d + size.layers * (encoder + decoder + heads))


def proof(size: Size) -> EquationProof:
    heads, width = size.heads, size.dim // size.heads
    return EquationProof(
        equation=partial(equals_mmdets, size),
        sized=size._asdict(),
        flops=partial(flops, size),
        offers=[{"attention": (heads, N, N), "q": (heads, N, width), "k": (heads, N, width)}] * size.layers
        + [{"map": (size.queries, H, W)}] * size.layers,
        times=2 * size.layers,
        rebuilt="test_detectors: layers follow from their maps",
        matrix="mmcv's layers form the weights",
    )


PROOFS = {
    "detr": proof(Size(dim=16, heads=4, layers=2, queries=5, feedforward=12)),
    "detr-small": proof(Size(dim=64, heads=8, layers=2, queries=30, feedforward=256)),
}
