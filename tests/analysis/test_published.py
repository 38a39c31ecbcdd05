"""Numbers that papers print stand beside ours."""

from __future__ import annotations

import csv

from harness import paths
from harness.analysis.claims.published import beside, load, written
from harness.analysis.leaderboard import build
from harness.catalog import load_catalog
from harness.store.records import MetricSpec


def test_every_line_is_read():
    with (paths.home() / "results" / "published.csv").open(encoding="utf-8", newline="") as stream:
        rows = [*csv.DictReader(stream)]
    assert [number.line for number in load()] == [*range(2, len(rows) + 2)]
    for number, row in zip(load(), rows, strict=True):
        assert number.value is None or f"{number.value:g}" == f"{float(row['value']):g}"
        assert number.higher_is_better is {"true": True, "false": False, "n/a": None}[row["higher_is_better"]]
    assert [row["value"] for number, row in zip(load(), rows, strict=True) if number.value is None][:2] == ["~1.0", "+3.0"]


def test_a_measured_method_stands_beside_its_number(result):
    catalog = load_catalog()
    specs = [MetricSpec("cityscapes", 1, "mIoU", "%", True, "mIoU", True)]
    trials = [
        result("dnl-unary-only", seed, {"mIoU": value}, benchmark="cityscapes", family="segmentation", tier="paper")
        for seed, value in enumerate((78.0, 80.0))
    ]
    rows = beside(catalog, build(trials, specs, []), load(), ["cityscapes"])
    assert {row.benchmark for row in rows} == {"cityscapes"}
    (unary,) = [row.plain() for row in rows if row.method == "dnl-unary-only"]
    assert (unary["published"], unary["mean"], unary["n"], unary["unit"]) == (79.3, 79.0, 2, "%")
    baseline = {row.published.value: row.measured for row in rows if row.method == "identity"}
    assert baseline == {75.8: None}, "the file's own name of a baseline is a method here, and three tables print it once"
    low, high = unary["ci95"]
    assert f"| 79.0 ({low:.1f} to {high:.1f}) |" in written(rows, "md")
    assert "| 79.3 % |" in written(rows, "md") and written(rows, "csv").count("\n") == len(rows)


def test_every_number_is_of_its_benchmark():
    for row in beside(load_catalog(), build([], [], []), load()):
        dataset = {"cub": "CUB", "ilsvrc": "ImageNet", "voc07": "VOC07", "voc12": "VOC12", "coco20k": "COCO", "7scenes": "7Scenes",
                   "cambridge": "Cambridge", "cityscapes": "Cityscapes", "ade20k": "ADE20K", "pascal": "PASCAL",
                   "imagenet": "ImageNet", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "coco": "COCO", "mpii": "MPII",
                   "voc12aug": "PASCAL"}  # fmt: skip
        assert row.published.dataset.startswith(dataset[row.benchmark.split("-")[0]])
        assert ("hrnet" in row.benchmark or "w48" in row.benchmark) == ("HRNet" in row.published.backbone)
