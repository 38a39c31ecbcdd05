"""A trial of every family records what its method attended to."""

from __future__ import annotations

import pytest

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose.plan import Selection, plan

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


@pytest.mark.parametrize(("benchmark", "method", "overrides", "expected"), TRIALS, ids=[f"{trial[0]}-{trial[1]}" for trial in TRIALS])
def test_a_trial_records_diagnostics_and_draws_maps(openmmlab, tmp_path, benchmark, method, overrides, expected):
    from harness.engine.trial import run_trial

    files = discover()
    planned = plan(
        Selection(methods=(method,), benchmarks=(benchmark,), seeds=1, overrides=("schedule.epochs=1", *overrides)), load_catalog(), files
    )
    (trial,) = planned.trials
    load_plugins(set(trial.plugins), files)
    outcome = run_trial(trial, data=data.ensure(planned.tasks[benchmark], None), work_dir=tmp_path)
    assert expected <= set(outcome.diagnostics), (sorted(expected - set(outcome.diagnostics)), outcome.notes)
    assert not [note for note in outcome.notes if "diagnostics" in note]
    assert (tmp_path / "artifacts" / "attention-0.jpg").is_file()
