"""A trial of every family records what its method attended to."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from harness import data
from harness.benchmarks.detection.readers.picture import Object, Picture
from harness.benchmarks.detection.scores import Found, per_image
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose.plan import Selection, plan
from harness.diagnostics import maps

ALL = {"entropy", "attended_share", "attended_keys", "input_cosine_distance"}
PAIRS = {"map_cosine_distance", "pairwise_share", "unary_share"}
ALIGNED = {"qk_distance", "purity", "purity_nearest", "qk_distance_at_start", "qk_distance_after_epoch"}
LABELLED = {"within_category_mass", "within_category_random", "boundary_mass", "boundary_random"}

TRIALS = [
    ("scenes-classification", "simpool", ["data.train=16", "data.test=8"], ALL),
    ("scenes-localization", "simpool", ["data.train=16", "data.test=8"], ALL),
    ("scenes-segmentation", "non-local-embedded-gaussian", ["data.train=8", "data.test=4"], ALL | PAIRS | ALIGNED | LABELLED),
    ("scenes-segmentation", "emanet", ["data.train=8", "data.test=4"], ALL | PAIRS),
    ("figures-keypoint", "non-local-embedded-gaussian", ["data.train=8", "data.test=4"], ALL | PAIRS | ALIGNED),
    ("rooms", "mst-multi-scene-transformer", ["data.train=6", "data.test=4"], ALL | PAIRS | ALIGNED),
]


PLAIN = [
    ("scenes-segmentation", "identity", ["data.train=8", "data.test=4"]),
    ("figures-keypoint", "identity", ["data.train=8", "data.test=4"]),
    ("teams-detection", "soft-nms", ["data.train=40", "data.test=4", "schedule.epochs=4"]),
]
"""Methods without maps."""


def _run(benchmark, method, overrides, work_dir):
    from harness.engine.trial import run_trial

    files = discover()
    planned = plan(
        Selection(methods=(method,), benchmarks=(benchmark,), seeds=1, overrides=("schedule.epochs=1", *overrides)), load_catalog(), files
    )
    (trial,) = planned.trials
    load_plugins(set(trial.plugins), files)
    outcome = run_trial(trial, data=data.ensure(planned.tasks[benchmark], None), work_dir=work_dir)
    assert not [note for note in outcome.notes if "diagnostics" in note or "predictions" in note]
    return outcome


@pytest.mark.parametrize(("benchmark", "method", "overrides", "expected"), TRIALS, ids=[f"{trial[0]}-{trial[1]}" for trial in TRIALS])
def test_a_trial_records_diagnostics_and_draws_maps(openmmlab, tmp_path, benchmark, method, overrides, expected):
    outcome = _run(benchmark, method, overrides, tmp_path)
    assert expected <= set(outcome.diagnostics), (sorted(expected - set(outcome.diagnostics)), outcome.notes)
    assert (tmp_path / "artifacts" / "attention-0.jpg").is_file()
    pictured = maps.load(tmp_path / "artifacts" / maps.FILE)
    count = len(next(iter(outcome.per_sample.values())))
    assert len(pictured) == 2 and pictured[0].sample == 0
    for one in pictured:
        assert one.maps and all(np.isfinite(found).all() for found in one.maps.values())
        if one.sample < count:  # localization has images behind the test set on which thresholds are chosen
            _agrees(one, {name: float(values[one.sample]) for name, values in outcome.per_sample.items()})
    if "qk_distance" in expected:
        with (tmp_path / "artifacts" / "first_epoch.csv").open(newline="") as stream:
            assert all(0 < float(row["entropy"]) < math.inf for row in csv.DictReader(stream))


@pytest.mark.parametrize(("benchmark", "method", "overrides"), PLAIN, ids=[trial[0] for trial in PLAIN])
def test_a_trial_without_maps_keeps_what_it_predicts(openmmlab, tmp_path, monkeypatch, benchmark, method, overrides):
    from harness.benchmarks.detection import pictures

    monkeypatch.setattr(pictures, "_SURE", 0.0)
    outcome = _run(benchmark, method, overrides, tmp_path)
    kept = sorted(file.name for file in (tmp_path / "artifacts").iterdir())
    assert kept == [maps.FILE, "prediction-0.jpg", "prediction-1.jpg"]
    for one in maps.load(tmp_path / "artifacts" / maps.FILE):
        assert not one.maps and one.true.drawn and one.predicted.drawn
        _agrees(one, {name: float(values[one.sample]) for name, values in outcome.per_sample.items()})


def _agrees(one: maps.Pictured, scores: dict[str, float]) -> None:
    """What is drawn as true and as predicted gives the score that the evaluator gave the image."""
    true, predicted = one.true, one.predicted
    if "guess" in scores:
        assert (true.text, predicted.text) == tuple(one.classes[int(scores[name])] for name in ("label", "guess"))
    elif "corloc" in scores:
        best = max(_overlap(predicted.boxes[0], box) for box in true.boxes)
        assert (best >= 0.5) == (scores["corloc"] == 100)
    elif "aAcc" in scores:
        assert 100 * (true.labels == predicted.labels)[true.labels != 255].mean() == pytest.approx(scores["aAcc"], rel=1e-5)
    elif "AP" in scores:
        true, found = (np.tile(one.image.shape[1::-1], 2) * marks.boxes for marks in (true, predicted))
        objects = tuple(Object(int(kind), tuple(box), 1.0) for kind, box in zip(one.true.kinds, true.tolist(), strict=True))
        (score,) = per_image([Picture(0, Path(), objects)], [Found(found, predicted.scores, predicted.kinds)])
        assert score == pytest.approx(scores["AP"], abs=1e-3) and score > 0
    elif "mean_px" in scores:
        known = true.points[:, 2] > 0
        away = np.linalg.norm((true.points - predicted.points)[known, :2] * one.image.shape[1::-1], axis=1)
        assert away.mean() == pytest.approx(scores["mean_px"], rel=1e-3)
    else:
        assert predicted.text == f"off by {scores['position_error_m']:.2f} m and {scores['orientation_error_deg']:.1f}°"


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    inner = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return float(inner / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner))
