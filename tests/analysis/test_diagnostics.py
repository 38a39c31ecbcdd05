"""Diagnostics over seeds: per method, layer and head, in 100 columns, and side by side."""

from __future__ import annotations

import csv
import io

import pytest

from harness.analysis import diagnostic_tables, diagnostics
from harness.analysis.leaderboard import build


@pytest.fixture
def rows(result, specs, floors):
    def trial(method, seed, entropy, **more):
        named = {"entropy": entropy, "entropy/neck": entropy, "entropy/neck/head0": entropy + 1, **more}
        return result(method, seed, {"top1": 50.0 + (method == "b")}, diagnostics=named)

    results = [trial("a", 0, 2.0, purity=0.5), trial("a", 1, 4.0), trial("b", 0, 1.0, **{"renormalised/neck": 1.0}), trial("b", 1, 2.0)]
    board = build(results, specs, floors)
    # another setting, which the leaderboard does not show
    other = result("a", 0, {"top1": 50.0}, diagnostics={"entropy": 99.0}, config_digest="other")
    return diagnostics.build(board, [*results, other])


def test_means_over_seeds_of_the_trials_that_are_shown(rows):
    assert [(row.method, row.measure, row.layer, row.head, row.summary.mean, row.summary.n) for row in rows] == [
        ("b", "entropy", None, None, 1.5, 2), ("b", "entropy", "neck", None, 1.5, 2), ("b", "entropy", "neck", 0, 2.5, 2),
        ("a", "entropy", None, None, 3.0, 2), ("a", "entropy", "neck", None, 3.0, 2), ("a", "entropy", "neck", 0, 4.0, 2),
        ("a", "purity", None, None, 0.5, 1),
    ]  # fmt: skip
    assert [row.renormalised for row in rows] == [True] * 3 + [False] * 4
    assert len(rows[0].digests) == 2


def test_texts(rows):
    lines = diagnostic_tables.table(rows).splitlines()
    assert lines[1].split() == ["method", "n", "entropy", "purity"]
    assert lines[2].split()[:5] == ["b", "2", "1.500", "±", "6.353"] and lines[2].split()[5:] == ["~", "-"]
    assert lines[3].split() == ["a", "2", "3.000", "±", "12.706", "0.500"] and lines[-1].startswith("~ ")
    assert "| a | 2 | 3.000 ± 12.706 | 0.500 |" in diagnostic_tables.markdown(rows)
    assert r"\begin{tabular}{lrrr}" in diagnostic_tables.latex(rows)
    read = list(csv.DictReader(io.StringIO(diagnostic_tables.csv_text(rows))))
    assert len(read) == len(rows) and (read[5]["layer"], read[5]["head"], float(read[5]["mean"])) == ("neck", "0", 4.0)
    assert read[0]["renormalised"] == "True" and read[6]["ci95_low"] == ""


def test_many_measures_take_several_tables(result, specs):
    named = {f"a_measure_of_its_own_{i}": float(i) for i in range(30)} | {"entropy": 1.0}
    board_of = build(trials := [result("m" * 40, seed, diagnostics=named) for seed in (0, 1)], specs, [])
    text = diagnostic_tables.table(diagnostics.build(board_of, trials))
    assert max(map(len, text.splitlines())) <= 100 and text.count("29.000 ± 0.000") == 1
    assert text.splitlines()[2].split()[2] == "entropy", "known measures come first"
    whole = diagnostic_tables.table(diagnostics.build(board_of, trials), width=None)
    assert len(whole.splitlines()) == 3 and whole.splitlines()[2].count("±") == 31


def test_one_trial_by_layer_and_head():
    text = diagnostic_tables.of_one_trial({"entropy": 1.0, "entropy/l": 1.0, "entropy/l/head0": 2.0, "purity": 0.5, "renormalised/l": 1.0})
    assert [line.split() for line in text.splitlines()] == [
        ["layer", "entropy", "purity"], ["mean", "over", "layers", "1.000", "0.500"], ["l", "1.000", "-"], ["head", "0", "2.000", "-"],
    ]  # fmt: skip
    assert diagnostic_tables.of_one_trial({"entropy/l/head0": 2.0}, width=None).splitlines()[1].split() == ["l", "head", "0", "2.000"]


def test_two_methods_side_by_side(rows):
    (found,) = diagnostics.compare(rows, "a", "b")
    assert (found.measure, found.a, found.b, found.difference, found.n) == ("entropy", 3.0, 1.5, 1.5, 2)
    assert found.ci95[0] < 1.5 < found.ci95[1]


def test_a_curve_reads_back(tmp_path):
    file = tmp_path / "first_epoch.csv"
    assert diagnostics.curve(file) == []
    file.write_text("iteration,layer,qk_distance,purity\n1,a.b,0.25,1\n")
    assert diagnostics.curve(file) == [{"iteration": 1, "layer": "a.b", "qk_distance": 0.25, "purity": 1.0}]


def test_two_searches_of_one_budget_are_two_blocks_and_say_what_differs(result, specs):
    def tuned(times):
        return {"data": {}, "tuning": {"trials": 4, "seeds": 1, "space": {"schedule.lr": {"times": times}}}}

    settings = {"plain": {"data": {}}, "narrow": tuned([0.5, 2]), "wide": tuned([0.25, 4])}
    trials = [
        result(method, seed, {"top1": 50.0 + seed}, diagnostics={"entropy": entropy + (method == "b")}, setting=setting)
        for setting, entropy in (("narrow", 5.0), ("wide", 7.0), ("plain", 1.0))
        for method in ("a", "b")
        for seed in (0, 1)
    ]
    board = build(trials, specs, [], settings=settings)
    told = dict.fromkeys(row.differs for row in board.rows)
    assert len(told) == 3 and any("space.schedule.lr.times" in text for text in told)
    found = diagnostics.compare(diagnostics.build(board, trials), "a", "b")
    assert sorted((one.a, one.b) for one in found) == [(1.0, 2.0), (5.0, 6.0), (7.0, 8.0)]
