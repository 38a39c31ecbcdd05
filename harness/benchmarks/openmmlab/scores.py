"""The metrics of the toolboxes' evaluators: what they are called here, and which values are better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.benchmarks.base import Metric
from harness.benchmarks.openmmlab.known import bare
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.benchmarks.openmmlab.options import OpenMMLabData

_AP = ("AP", "AP .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")


def _percent(*names: str) -> list[Metric]:
    return [Metric(plain(name), "%", True, name) for name in names]


def _shares(*names: str, of_parts: bool = False) -> list[Metric]:
    return [Metric(plain(name), "", True, name, per_scene=of_parts) for name in names]


def _lower(name: str) -> list[Metric]:
    return [Metric(name, "", False, name)]


def _iou(told: dict[str, Any]) -> list[Metric]:
    of = {"mIoU": ("mIoU", "mAcc"), "mDice": ("mDice", "mAcc"), "mFscore": ("mFscore", "mPrecision", "mRecall")}
    # mIoU and mDice both come with mAcc, which is returned once
    whole = _percent(*dict.fromkeys(name for metric in told.get("iou_metrics", ["mIoU"]) for name in of[metric]), "aAcc")
    return [*whole, Metric("IoU", "%", True, "IoU of a class", per_scene=True)]


def _topk(told: dict[str, Any]) -> list[Metric]:
    topk = told.get("topk", (1,))
    return [Metric(f"top{k}", "%", True, f"top{k}", per_scene=k == 1) for k in ([topk] if isinstance(topk, int) else topk)]


def _coco(told: dict[str, Any], scope: str) -> list[Metric]:
    if scope == "mmpose":
        return _shares(*_AP)
    kinds = told.get("metric", "bbox")
    tails = ("mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")
    named = [kinds] if isinstance(kinds, str) else kinds
    return [
        metric for kind in named for metric in (*_shares(f"{kind}_mAP", of_parts=True), *_shares(*(f"{kind}_{tail}" for tail in tails)))
    ]


def _pck(told: dict[str, Any]) -> list[Metric]:
    items, names = told.get("norm_item", "bbox"), {"bbox": "PCK", "head": "PCKh", "torso": "tPCK"}
    return _shares(*(names[item] for item in ([items] if isinstance(items, str) else items)), of_parts=True)


KNOWN: dict[str, Callable[[dict[str, Any], str], list[Metric]]] = {
    "IoUMetric": lambda told, _: _iou(told),
    "Accuracy": lambda told, _: _topk(told),
    "SingleLabelMetric": lambda told, _: _percent(*told.get("items", ("precision", "recall", "f1-score"))),
    "MultiLabelMetric": lambda told, _: _percent(*told.get("items", ("precision", "recall", "f1-score"))),
    "AveragePrecision": lambda _told, _: _percent("mAP"),
    "CocoMetric": _coco,
    "PCKAccuracy": lambda told, _: _pck(told),
    "AUC": lambda _told, _: _shares("AUC"),
    "EPE": lambda _told, _: _lower("EPE"),
    "NME": lambda _told, _: _lower("NME"),
    "VOCMetric": lambda _told, _: _shares("mAP", of_parts=True),
}
"""Evaluator -> what it returns, given its config and the toolbox."""


def plain(name: str) -> str:
    """A value's name here: without the evaluator's prefix, which would read as the name of a metric with scenes, and without blanks."""
    return name.rpartition("/")[2].replace(" ", "")


def prefixed(prefix: str, name: str) -> str:
    """A value's name where two evaluators have one of that name: with the prefix that its own was given, after which comes no slash."""
    return f"{prefix.replace(' ', '').replace('/', '.')}.{plain(name)}"


def evaluators(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The test's evaluators, one by one."""
    found = config.get("test_evaluator") or []
    return [found] if isinstance(found, dict) else [*found]


def metrics(data: OpenMMLabData) -> list[Metric]:
    """What a trial reports, the one that ranks first; nothing of a config that has not been looked at.

    Raises:
        UsageError: an evaluator is not known, and the entry does not say what it returns; or two return a value of one name.
    """
    if not data.config:
        return []
    told = [Metric(name, "", direction == "higher", name) for name, direction in data.returns.items()]
    found = {metric.name: metric for metric in told}
    returned: list[tuple[dict[str, Any], Metric]] = []
    for one in evaluators(data.config):
        kind = bare(one["type"])
        if kind not in KNOWN and not told:
            raise UsageError(
                f"the evaluator '{one['type']}' is not known, so nobody can say what it returns. Say which values are better with "
                "--set 'data.returns={NAME: higher}'."
            )
        if kind in KNOWN:
            returned += [(one, metric) for metric in KNOWN[kind](one, data.config.get("default_scope", ""))]
    often = Counter(metric.name for _, metric in returned)
    made: set[str] = set()
    for one, metric in returned:
        if often[metric.name] > 1 and metric.name not in data.returns and one.get("prefix"):
            metric = replace(metric, name=prefixed(one["prefix"], metric.name))
        if metric.name in made and not any(key in one for key in _APART):
            raise UsageError(f"two evaluators return '{metric.name}', so one would hide the other. Give each a prefix of its own.")
        made.add(metric.name)
        found.setdefault(metric.name, metric)
    return [*found.values()]


_APART = ("thrs", "average")
"""Of evaluators, options by which two of them return values of other names."""


def names(found: Iterable[Metric]) -> list[str]:
    """Those that an evaluator returns of the whole test set."""
    return [metric.name for metric in found if metric.name.rpartition(".")[2] != "IoU"]
