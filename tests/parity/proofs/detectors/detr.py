"""DETR."""

from __future__ import annotations

import torch

from harness.benchmarks.backbones import Features
from harness.benchmarks.detection.detectors import DETECTORS
from harness.benchmarks.detection.options import DetectionModel
from proofs.detectors import CHANNELS, CLASSES, build, images, theirs
from proofs.proof import EquationProof, H, N, W

D, HEADS, L, Q, HIDDEN = 16, 4, 2, 5, 12
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


def equals_mmdets() -> None:
    """With the weights of mmdet's class, which the harness's own benchmarks use, one image padded."""
    module = build("detr", dim=D, heads=8, layers=L, queries=Q, feedforward=HIDDEN)
    options = DetectionModel(detector="detr", channels=D, layers=L, queries=Q, feedforward=HIDDEN)
    for mine, exact in zip(module(*images()), theirs(DETECTORS["detr"](options, HOST, CLASSES, {}), NAMES, module), strict=True):
        assert mine.shape[:3] == (L, 2, Q)
        torch.testing.assert_close(mine, exact, rtol=1e-6, atol=1e-7)


def flops(c: int, n: int) -> int:
    encoder = n * (4 * D * D + 2 * D * HIDDEN) + 2 * n * n * D
    decoder = Q * (6 * D * D + 2 * D * HIDDEN) + 2 * n * D * D + 2 * Q * Q * D + 2 * Q * n * D
    heads = Q * (D * (CLASSES + 1) + 2 * D * D + 4 * D)
    return 2 * (n * c * D + L * (encoder + decoder + heads))


PROOFS = {
    "detr": EquationProof(
        equation=equals_mmdets,
        sized={"dim": D, "heads": HEADS, "layers": L, "queries": Q, "feedforward": HIDDEN},
        flops=flops,
        offers=[{"attention": (HEADS, N, N), "q": (HEADS, N, D // HEADS), "k": (HEADS, N, D // HEADS)}] * L + [{"map": (Q, H, W)}] * L,
        times=2 * L,
        rebuilt="test_detectors: layers follow from their maps",
        matrix="mmcv's layers form the weights",
    )
}
