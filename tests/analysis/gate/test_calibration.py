"""The false-alarm rate that is stated is the one that comes out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.analysis.gate.calibration import as_json, calibrate
from harness.analysis.gate.saving import expect


@pytest.fixture
def many(measure):
    rng = np.random.default_rng(1)
    return measure({f"m{i}": [*zip(rng.normal(75, 1.5, 12), rng.normal(1, 0.05, 12), strict=True)] for i in range(5)})


def test_unchanged_code_is_called_worse_in_1_percent_of_checks_at_most(many):
    baseline, _ = expect(many.board, seeds=4)
    found = calibrate(baseline.entries, many.board, repeats=2000)
    for rate in (found.simulated, found.resampled):
        assert rate.repeats == 2000 and rate.entries == 10 and rate.interval[0] <= 0.01
    caught = [entry.caught for entry in found.entries if entry.unit == "%"]
    assert len(caught) == 5 and min(caught) > 0.8 and max(caught) > 0.99, "5 points are 3.3 standard deviations of a seed"
    assert all(entry.caught is None and entry.to_lose == pytest.approx(1.0, abs=0.1) for entry in found.entries if entry.unit == "m")
    json.dumps(as_json(found), allow_nan=False)


def test_limits_that_are_too_tight_are_found_out(many, monkeypatch):
    monkeypatch.setattr("harness.analysis.gate.limits.FALSE_ALARMS", 0.9)
    baseline, _ = expect(many.board, relative=0.0, tolerances={"top1": 0.0, "error": 0.0}, seeds=4)
    found = calibrate(baseline.entries, many.board, repeats=500)
    assert found.simulated.rate > 0.2 and found.resampled.rate > 0.2


def test_too_few_seeds_to_draw_from_are_not_drawn_from(many):
    baseline, _ = expect(many.board)
    assert calibrate(baseline.entries, many.board, repeats=100).resampled is None
