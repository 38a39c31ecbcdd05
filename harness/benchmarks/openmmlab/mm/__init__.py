"""Classes of the family that mmengine builds; importing registers them."""

from harness.benchmarks.openmmlab.mm.evaluator import OwnScores

__all__ = ["OwnScores"]
