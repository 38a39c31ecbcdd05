"""Methods side by side: only within a block, in the metric's direction, over seeds and samples, corrected over all that was compared."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.board_json import as_json
from harness.analysis.compare import compare
from harness.analysis.compare_words import sentences
from harness.analysis.inference import cells, pairs
from harness.analysis.inference.scales import PERCENT
from harness.analysis.leaderboard import build
from harness.analysis.notes import concerning
from harness.analysis.views.comparison import csv_text
from harness.store.records import MetricSpec


@pytest.fixture
def sides(result, specs):
    """``sides(a=..., b=...)`` -> a board of methods, by seed -> top1."""

    def make(**methods: dict[int, float]):
        return build([result(name, seed, {"top1": value}) for name, some in methods.items() for seed, value in some.items()], specs, [])

    return make


def test_over_seeds_a_pair_is_judged_among_all_methods_of_the_block(sides):
    values = {"a": [60.0, 62.0, 61.0], "b": [50.0, 53.0, 51.0], "c": [90.0, 91.0, 90.5]}
    board = sides(**{name: dict(enumerate(some)) for name, some in values.items()})
    (row,) = compare(board, ["a", "b"])
    found = pairs.pairwise(cells.fit([values[name] for name in ("c", "a", "b")], PERCENT))
    assert (row.a, row.b, row.difference, row.n, row.over) == (
        61.0,
        pytest.approx(51.333, abs=1e-3),
        pytest.approx(9.667, abs=1e-3),
        3,
        "seeds",
    )
    assert row.p == pytest.approx(found.p[2]) and row.ci95 == pytest.approx(tuple(float(end[2]) for end in found.interval()))
    assert row.verdict == "a" and row.sentence == "a is better than b by 9.67 points." and row.effect > 3
    assert compare(board, ["a", "nobody"]) == []
    assert [(other.method_a, other.method_b) for other in compare(board, ["b", "c", "a"])] == [("b", "c"), ("b", "a"), ("c", "a")]


@pytest.mark.parametrize(("higher", "verdict"), [(True, "a"), (False, "b")])
def test_the_direction_decides_who_is_better(result, higher, verdict):
    specs = [MetricSpec("scenes", 1, "error", "m", higher, "Error", True)]
    trials = [result(method, seed, {"error": value + seed / 100}) for method, value in (("a", 9.0), ("b", 1.0)) for seed in range(4)]
    (row,) = compare(build(trials, specs, []), ["a", "b"])
    assert (row.metric, row.verdict) == ("error", verdict)


def test_a_verdict_holds_for_all_rows_together(result, specs):
    """p = 0.03 alone is a claim; beside a second benchmark it is 0.06 and is none, and says what more seeds would show."""
    a, b = (50.0, 50.2, 50.1, 49.9), (51.0, 53.3, 50.9, 52.7)

    def trials(benchmark: str):
        return [
            result(method, seed, {"top1": value}, benchmark=benchmark)
            for method, values in (("a", a), ("b", b))
            for seed, value in enumerate(values)
        ]

    both = [spec for spec in specs if spec.metric == "top1"]
    both += [MetricSpec("digits", 1, "top1", "%", True, "", True)]
    (row,) = compare(build(trials("scenes"), both, []), ["a", "b"])
    alone = row.p
    assert 0.025 < alone < 0.05 and row.verdict == "b"
    rows = compare(build(trials("scenes") + trials("digits"), both, []), ["a", "b"])
    assert [row.p for row in rows] == pytest.approx([2 * alone] * 2) and {row.verdict for row in rows} == {"no difference shown"}
    assert "cannot be told apart: 4 seeds show differences from" in rows[0].sentence and "5 more seeds would show" in rows[0].sentence


def test_of_many_pairs_each_method_says_whom_it_is_better_than(sides):
    """And every verdict is in the sentences, once, those that tell nothing as a number of pairs."""
    values = {"worst": 20.0, "low": 50.0, "alike": 50.5, "best": 90.0, "high": 80.0}
    board = sides(**{name: {seed: mean + step for seed, step in enumerate((0.0, 0.6, -0.4))} for name, mean in values.items()})
    rows = compare(board, [*values])
    assert sentences(rows, lambda row: row.benchmark)[:5] == [
        "scenes: best is better than all others.",
        "scenes: high is better than alike, low, worst.",
        "scenes: alike is better than worst.",
        "scenes: low is better than worst.",
        next(told for told in sentences(rows, lambda row: row.benchmark) if "1 of 10 pairs cannot be told apart: 3 seeds show" in told),
    ]
    four = [row for row in rows if "worst" not in (row.method_a, row.method_b)]
    assert sentences(four, lambda row: row.benchmark) == [f"scenes: {row.sentence}" for row in four]


def test_sentences_say_what_verdicts_say(sides):
    """p values are corrected once: of three rows one with p = 0.03 after it is a claim in words, too."""
    seen = set()
    for gain in np.linspace(0, 8, 33):
        board = sides(a={0: 60.0, 1: 62.0, 2: 61.0}, b={0: 63.0 + gain, 1: 65.0 + gain, 2: 61.0 + gain}, c={0: 58.0, 1: 59.0, 2: 61.0})
        for row in compare(board, ["a", "b", "c"]):
            assert ("is better" in row.sentence) == (row.verdict in ("a", "b"))
            seen.add("between" if 0.05 / 3 < row.p < 0.05 else "")
    assert "between" in seen


def test_percentages_differ_by_no_more_than_100(sides):
    (row,) = compare(sides(a={0: 90.0, 1: 5.0}, b={0: 60.0, 1: 1.0}), ["a", "b"])
    assert row.ci95 == (-100.0, 100.0) and row.p > 0.05


def test_where_seeds_say_nothing_the_sentence_says_why(sides):
    (same,) = compare(sides(a={0: 100.0, 1: 100.0}, b={0: 100.0, 1: 100.0}), ["a", "b"])
    (nan,) = compare(sides(a={0: np.nan, 1: 50.0}, b={0: 60.0, 1: 61.0}), ["a", "b"])
    assert same.p is None and "their seeds do not differ" in same.sentence
    assert nan.p is None and "a result is not a number" in nan.sentence
    (still,) = compare(sides(a={0: 63.1, 1: 63.1001}, b={0: 61.2, 1: 61.2}), ["a", "b"])
    assert still.effect is None and still.verdict == "a"
    assert still.sentence.endswith(" Seeds give (nearly) the same value: the interval says nothing of other test images.")
    (near,) = compare(sides(a={0: 63.1, 1: 63.2}, b={0: 61.2, 1: 61.2}), ["a", "b"])
    assert near.effect > 1 and "same value" not in near.sentence


def test_one_seed_is_no_test(sides):
    (row,) = compare(sides(a={0: 1.0}, b={0: 2.0}), ["a", "b"])
    assert (row.p, row.ci95, row.verdict) == (None, None, "too few seeds") and "2 seeds of each are needed" in row.sentence


def hits(generator, seeds: int, easy: np.ndarray, gain: float) -> np.ndarray:
    """Scores (seeds, samples) in percent: samples are more or less easy for all methods."""
    return 100.0 * (generator.random((seeds, easy.size)) < np.clip(easy + gain, 0, 1))


def test_over_samples_that_methods_share_a_small_difference_shows(result, specs):
    """Paired over samples, whose difficulty is common to both; the truth is known: accuracy differs by the gain."""
    generator = np.random.default_rng(0)
    easy = generator.choice([0.02, 0.95], 2000)
    scores = {"a": hits(generator, 3, easy, 0.02), "b": hits(generator, 3, easy, 0.0)}
    trials = [result(name, seed, {"top1": float(some[seed].mean())}) for name, some in scores.items() for seed in range(3)]
    stored = {trial.digest: {"top1": scores[trial.method][trial.seed].astype(np.float32)} for trial in trials}
    (row,) = compare(build(trials, specs, []), ["a", "b"], lambda digests: {digest: stored[digest] for digest in digests})
    assert (row.over, row.n, row.samples, row.groups) == ("seeds and samples", 3, 2000, 2000)
    assert row.difference == pytest.approx(scores["a"].mean() - scores["b"].mean()) and row.ci95[0] < row.difference < row.ci95[1]
    superiority = ((np.sign(scores["a"] - scores["b"]) + 1) / 2).mean()
    assert row.superiority == pytest.approx(superiority) and row.effect == pytest.approx(
        (scores["a"] - scores["b"]).mean(0).mean() / (scores["a"] - scores["b"]).mean(0).std(ddof=1)
    )
    grouped = {digest: some | {"group": np.arange(2000) // 250} for digest, some in stored.items()}
    (clustered,) = compare(build(trials, specs, []), ["a", "b"], lambda digests: grouped)
    assert clustered.groups == 8 and clustered.over == "seeds and samples" and clustered.size == f"{clustered.effect:+.2f} s"
    few = {digest: some | {"group": np.arange(2000) // 500} for digest, some in stored.items()}
    (row,) = compare(build(trials, specs, []), ["a", "b"], lambda digests: few)
    assert row.over == "seeds" and row.size == f"{row.effect:+.2f}", "four groups of samples say too little"


def test_one_seed_of_each_compares_two_models_and_no_methods(result, specs):
    generator = np.random.default_rng(1)
    easy = np.full(200, 0.5)
    scores = {"a": hits(generator, 1, easy, 0.4), "b": hits(generator, 1, easy, 0.0)}
    trials = [result(name, 0, {"top1": float(some.mean())}) for name, some in scores.items()]
    stored = {trial.digest: {"top1": scores[trial.method][0]} for trial in trials}
    (row,) = compare(build(trials, specs, []), ["a", "b"], lambda digests: stored)
    assert (row.over, row.p, row.verdict) == ("samples", None, "too few seeds") and row.ci95[0] > 0
    assert row.sentence == "on these samples one model of each differs; 2 seeds are needed to say so of a and b."


def test_seeds_that_never_differ_say_nothing_whatever_the_samples_say(result, specs):
    """Two methods at 100 and at 0 % on every sample: no other method says how much seeds would differ."""
    scores = {"a": np.full((3, 200), 100.0), "b": np.zeros((3, 200))}
    trials = [result(name, seed, {"top1": float(some[seed].mean())}) for name, some in scores.items() for seed in range(3)]
    stored = {trial.digest: {"top1": scores[trial.method][trial.seed]} for trial in trials}
    (row,) = compare(build(trials, specs, []), ["a", "b"], lambda digests: stored)
    assert (row.p, row.verdict) == (None, "too few seeds") and "their seeds do not differ" in row.sentence


@pytest.mark.parametrize("lacking", ["scores", "groups"])
def test_samples_that_would_make_another_mean_of_a_method_are_not_compared(result, specs, lacking):
    """b has no score where samples are hard: over those that both have a would be better, by its metric it is worse."""
    generator = np.random.default_rng(2)
    easy = np.repeat([0.95, 0.1], [140, 60])
    scores = {"a": hits(generator, 3, easy, 0.04), "b": hits(generator, 3, easy, 0.0)}
    if lacking == "scores":
        scores["b"][:, 140:] = np.nan
    trials = [result(name, seed, {"top1": float(np.nanmean(some[seed]))}) for name, some in scores.items() for seed in range(3)]
    stored = {trial.digest: {"top1": scores[trial.method][trial.seed]} for trial in trials}
    if lacking == "groups":
        stored = {digest: some | {"group": np.arange(150) // 5} for digest, some in stored.items()}
    board = build(trials, specs, [])
    (row,) = compare(board, ["a", "b"], lambda digests: stored)
    assert (row.over, row.a) == ("seeds", pytest.approx(next(one.mean for one in board.rows if one.method == "a")))


@pytest.mark.slow
def test_methods_that_share_one_seed_only_are_compared_over_all_of_theirs(result, specs):
    generator = np.random.default_rng(0)
    trials, scores = [], {}
    for method, seeds in (("a", (0, 1)), ("b", (1, 2))):
        for seed in seeds:
            some = hits(generator, 1, np.full(400, 0.6), 0.3 * (method == "a"))[0]
            trials.append(result(method, seed, {"top1": float(some.mean())}))
            scores[trials[-1].digest] = {"top1": some}
    (row,) = compare(build(trials, specs, []), ["a", "b"], lambda digests: {digest: scores[digest] for digest in digests})
    assert (row.over, row.n) == ("seeds", 2) and row.p is not None


def test_false_claims_are_rare_and_intervals_cover(result, specs):
    """Methods that are alike: seeds shift accuracy, samples differ in difficulty. Three standard errors of 5 % are 3.8 %."""
    generator = np.random.default_rng(2)
    claims, covered, runs = 0, 0, 300
    for _ in range(runs):
        easy = generator.beta(2, 2, 150)
        scores = {name: hits(generator, 3, easy, generator.normal(0, 0.03, (3, 1))) for name in "abcd"}
        trials = [result(name, seed, {"top1": float(some[seed].mean())}) for name, some in scores.items() for seed in range(3)]
        stored = {trial.digest: {"top1": scores[trial.method][trial.seed]} for trial in trials}
        (row,) = compare(build(trials, specs, []), ["a", "b"], lambda digests, stored=stored: stored)
        claims += row.p < 0.05
        covered += row.ci95[0] <= 0 <= row.ci95[1]
    assert claims / runs < 0.088 and covered / runs > 0.91


def test_seeds_that_failed_are_told(result, waiting, specs):
    """Who failed is compared by the seeds in which it did not: the sentence says so, and the JSON has what the leaderboard's has."""
    done = [result(name, seed, {"top1": value + seed}) for name, value in (("a", 90.0), ("b", 50.0)) for seed in range(3)]
    failed = [waiting("a", 3, kind="nan"), waiting("a", 4, kind="nan"), waiting("b", 3, "planned")]
    board = build(done, specs, [], unfinished=failed)
    (row,) = compare(board, ["a", "b"])
    assert row.verdict == "a" and row.sentence.endswith(
        "a has a result in 3 of 5 seeds (2 failed: nan), and those that did not fail are a selection. "
        "b has a result in 3 of 4 seeds (1 planned)."
    )
    assert row.plain()["missing"] == as_json(board)["missing"]
    (alone,) = csv.DictReader(io.StringIO(csv_text([row])))
    assert alone["missing"].startswith("a has a result in 3 of 5 seeds") and "survivors" not in alone
    json.dumps(row.plain())


def test_what_set_changed_of_a_method_is_told(result, specs):
    changed = {"overrides": ("method.ratio=0.5", "schedule.epochs=1")}
    done = [result(name, seed, {"top1": 50.0 + seed}, **changed) for name in "ab" for seed in range(3)]
    done += [result("a", 0, overrides=changed["overrides"], plugins={"a": "older"}, finished=1.0)]
    done = [replace(some, overrides=("schedule.epochs=1",)) if some.method == "b" else some for some in done]
    board = build(done, specs, [])
    (row,) = compare(board, ["a", "b"])
    assert (row.overrides_a, row.overrides_b) == (("method.ratio=0.5",), ())
    assert row.sentence.endswith("a was run with --set method.ratio=0.5, not as registered.")
    (alone,) = csv.DictReader(io.StringIO(csv_text([row])))
    assert (alone["overrides_a"], alone["overrides_b"]) == ("method.ratio=0.5", "")
    first, *_, last = board.notes
    assert "not as registered" in first and "2 settings or sources" in last
    assert concerning(board.notes, {"scenes"}, ["a", "b"]) == [first, last] and concerning(board.notes, {"scenes"}, ["b"]) == [first]
    assert concerning(board.notes, {"scene"}, ["a"]) == []


def test_results_whose_newer_sources_have_none_say_so(result, waiting, specs):
    done = [result(name, seed, {"top1": value + seed}) for name, value in (("a", 90.0), ("b", 50.0)) for seed in range(3)]
    edited = [waiting("a", seed, kind="nan", created=1e9, plugins={"a": "edited"}) for seed in range(3)]
    (row,) = compare(build(done, specs, [], unfinished=edited), ["a", "b"])
    assert row.sentence.endswith("a was planned since with other settings or sources, without a result yet: 3 failed: nan.")
    json.dumps(row.plain())
