"""Which metrics are made of the scores of single samples, and what one seed's samples say."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis import formats
from harness.analysis.inference.samples import sample_interval
from harness.analysis.leaderboard import build
from harness.analysis.sampled import made_of, with_samples
from harness.store.records import MetricSpec

HITS = np.random.default_rng(0).permutation(np.repeat([100.0, 0.0], [60, 20])).astype(np.float32)
ERRORS = np.random.default_rng(1).gamma(3, 1, 81).astype(np.float32)


def test_a_metric_is_the_mean_or_the_median_of_scores_where_names_and_numbers_say_so(result, specs):
    (row,) = build([result(metrics={"top1": 75.0})], specs, []).rows
    (digest,) = row.digests
    assert made_of(row, {digest: {"top1": HITS, "label": HITS}}) == (np.mean, "top1")
    assert made_of(row, {digest: {"top1": HITS[:-1]}}) is None, "a mean of classes is not that of samples"
    assert made_of(row, {digest: {"label": HITS}}) is None and made_of(row, {}) is None
    lost = np.append(HITS, np.nan).astype(np.float32)
    assert made_of(row, {digest: {"top1": lost}}) == (np.mean, "top1"), "a sample without a score counts nowhere"
    spec = MetricSpec("scenes", 1, "position_median_m", "m", False, "", True)
    (row,) = build([result(metrics={"position_median_m": float(np.median(ERRORS))})], [spec], []).rows
    assert made_of(row, {row.digests[0]: {"position_error_m": ERRORS}}) == (np.median, "position_error_m")
    (row,) = build([result(metrics={"position_median_m": 3.0})], [spec], []).rows
    assert made_of(row, {row.digests[0]: {"position_error_m": ERRORS}}) is None


@pytest.mark.parametrize("grouped", [False, True])
def test_one_seed_has_the_interval_of_its_samples(result, specs, grouped):
    groups = np.arange(80) // 4
    scores = {"top1": HITS} | ({"group": groups.astype(np.float32)} if grouped else {})
    trials = [result("one", 0, {"top1": 75.0}), *(result("two", seed, {"top1": 70.0 + seed}) for seed in (0, 1))]
    asked = []

    def read(digests):
        asked.extend(digests)
        return dict.fromkeys(digests, scores)

    board = build(trials, specs, [])
    one, two = with_samples(board, read).rows
    assert asked == [trials[0].digest], "only what is needed is read"
    expected = sample_interval(HITS, groups if grouped else None, bounds=(0, 100)).interval
    assert (one.interval, one.ci95) == ("samples", expected) and two == board.rows[1]
    text = formats.table(with_samples(board, read))
    assert f"{expected[0]:.1f} to {expected[1]:.1f} s" in text and "over the test samples of one seed" in text


def test_few_groups_and_other_metrics_have_none(result, specs):
    board = build([result("one", 0, {"top1": 75.0})], specs, [])
    few = {"top1": HITS, "group": np.arange(80) // 20}
    for scores in (few, {}, {"top1": HITS + 1}):
        assert with_samples(board, lambda digests, scores=scores: dict.fromkeys(digests, scores)).rows[0].ci95 is None
