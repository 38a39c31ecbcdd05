"""Families of benchmarks and formats of datasets by name: what is shipped, and what other packages bring by entry points.

A package brings a family with an entry point of the group ``harness.families`` (name = the family's, value = a package made
like those in ``harness/benchmarks``), and a format with one of the group ``harness.formats`` (name = ``FAMILY/FORMAT``,
value = a module made like those in ``harness/benchmarks/<family>/readers``). Nothing is imported here.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

from harness.points import entry_points_of

Tier = Literal["synthetic", "small", "paper"]

TIERS: tuple[Tier, ...] = get_args(Tier)

SHIPPED = {
    "classification": "harness.benchmarks.classification",
    "object-localization": "harness.benchmarks.object_localization",
    "segmentation": "harness.benchmarks.segmentation",
    "keypoint": "harness.benchmarks.keypoint",
    "camera-localization": "harness.benchmarks.camera_localization",
    "detection": "harness.benchmarks.detection",
    "frozen-features": "harness.benchmarks.frozen_features",
    "background-robustness": "harness.benchmarks.background_robustness",
    "image-retrieval": "harness.benchmarks.image_retrieval",
    "self-supervised": "harness.benchmarks.self_supervised",
    "openmmlab": "harness.benchmarks.openmmlab",
}
"""Family -> its package, in the order families are listed."""


@cache
def packages() -> dict[str, str]:
    """Family -> its package: the shipped ones, then those of other packages; a shipped name cannot be taken."""
    outside = {point.name: point.value for point in entry_points_of("harness.families")}
    return SHIPPED | {name: value for name, value in sorted(outside.items()) if name not in SHIPPED}


def names() -> tuple[str, ...]:
    """All families, in the order they are listed."""
    return tuple(packages())


@cache
def formats_from_outside(family: str) -> dict[str, str]:
    """Format -> module, of the formats that other packages bring to a family."""
    brought = ((*point.name.partition("/")[::2], point.value) for point in entry_points_of("harness.formats"))
    return {name: module for owner, name, module in sorted(brought) if owner == family and name}
