"""Deformable DETR."""

from __future__ import annotations

import torch

from harness.benchmarks.backbones import Features
from harness.benchmarks.detection.detectors import DETECTORS
from harness.benchmarks.detection.options import DetectionModel
from proofs.detectors import CHANNELS, CLASSES, build, images, theirs
from proofs.proof import EquationProof, N

D, HEADS, L, Q, HIDDEN, LEVELS, POINTS = 16, 4, 2, 5, 12, 3, 4
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
    **{f"bbox_head.cls_branches.{layer}": "classify" for layer in range(L)},
    **{f"bbox_head.reg_branches.{layer}": "box" for layer in range(L)},
    "": "",
}
HOST = Features({}, [*CHANNELS], [8, 16], 0)


def equals_mmdets() -> None:
    """With the weights of mmdet's class, which the harness's own benchmarks use, one image padded."""
    module = build("deformable-detr", dim=D, heads=8, layers=L, queries=Q, feedforward=HIDDEN, levels=LEVELS)
    options = DetectionModel(detector="deformable-detr", channels=D, layers=L, queries=Q, feedforward=HIDDEN, outputs=LEVELS)
    config = DETECTORS["deformable-detr"](options, HOST, CLASSES, {})
    # the plugin's groups are as many as divide any width
    config["neck"]["norm_cfg"]["num_groups"] = module.projections[0][1].num_groups
    for mine, exact in zip(module(*images()), theirs(config, NAMES, module), strict=True):
        assert mine.shape[:3] == (L, 2, Q)
        torch.testing.assert_close(mine, exact, rtol=1e-6, atol=1e-7)


def flops(c: int, n: int) -> int:
    """Maps of 4n positions with c/2 channels and of n with c, of which one of n/4 is made."""
    positions, read = 5 * n + n // 4, HEADS * LEVELS * POINTS * 3
    projected = 4 * n * (c // 2) * D + n * c * D + (n // 4) * 9 * c * D
    encoder = positions * (2 * D * D + read * D + 2 * D * HIDDEN)
    decoder = Q * (4 * D * D + 2 * Q * D) + positions * D * D + Q * (D * D + read * D + 2 * D * HIDDEN)
    heads = Q * (D * CLASSES + 2 * D * D + 4 * D)
    return 2 * (projected + Q * D * 2 + L * (encoder + decoder + heads))


PROOFS = {
    "deformable-detr": EquationProof(
        equation=equals_mmdets,
        sized={"dim": D, "heads": HEADS, "layers": L, "queries": Q, "feedforward": HIDDEN, "levels": LEVELS, "points": POINTS},
        flops=flops,
        offers=[{"attention": (HEADS, 5 * N + N // 4, LEVELS * POINTS)}] * L + [{"attention": (HEADS, Q, LEVELS * POINTS)}] * L,
        times=2 * L,
        rebuilt="test_detectors: layers follow from their maps",
    )
}
