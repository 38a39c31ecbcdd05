"""What a pre-trained network is judged by: protocols on frozen features, beside those of the network before training."""

from __future__ import annotations

from harness.benchmarks.base import Metric
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.frozen_features.scores import metrics as protocols

UNTRAINED = ("knn20", "linear")
"""Protocols that are told of the network before training, too, as ``untrained_<name>``: what was learnt is the difference."""


def metrics(data: ClassificationData) -> list[Metric]:
    """What a trial reports."""
    learnt = [metric for metric in protocols(data) if metric.name != "head"]
    titles = {metric.name: metric.title for metric in learnt}
    about = [
        *(Metric(f"untrained_{name}", "%", True, f"{titles[name]}, of the network before training") for name in UNTRAINED),
        Metric("rank", "", True, "Effective rank of the features (RankMe)"),
        Metric("masked", "%", False, "Share of the tokens that the strategy masks"),
    ]
    if data.format == "synthetic":
        about += [
            Metric("masked_on_object", "%", True, "Share of the masked tokens' area that lies on the object"),
            Metric("attention_on_object", "%", True, "Share of the [CLS] token's attention that lies on the object"),
            Metric("pointing", "%", True, "Share of the most attended tokens' area that lies on the object"),
            Metric("loss_on_object", "", False, "Loss of masked tokens on the object"),
            Metric("loss_beside", "", False, "Loss of masked tokens beside the object"),
        ]
    return [*learnt, *about]
