"""The leaderboard's texts: readable in 100 columns, and safe to paste."""

from __future__ import annotations

import csv
import io
import itertools
import json
import statistics
from dataclasses import replace

import pytest

from harness.analysis import formats
from harness.analysis.board import Board
from harness.analysis.board_json import as_json
from harness.analysis.leaderboard import build
from harness.outcome import Cost
from harness.report.latex import document


@pytest.fixture
def board(result, specs, floors) -> Board:
    values = {"simpool": 91.0, "gap": 80.0, "a-method-with-a-name-that-nobody-would-ever-want-to-read": 9.0}
    results = [result(method, seed, {"top1": value + seed, "error": 0.1234}) for method, value in values.items() for seed in (0, 1)]
    return build(results, specs, floors)


def test_table(board):
    text = formats.table(board)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "scenes v1 · classification · synthetic · top1 [%], higher is better"
    assert lines[1].startswith("2 seeds tell all 3 pairs apart · resolution ")
    assert lines[2] == "simpool leads."
    assert lines[3].split() == ["rank", "method", "top1", "95", "%", "tied", "n", "Mparams", "GFLOPs", "ms", "MB"]
    low, high = (f"{end:.1f}" for end in board.rows[0].ci95)
    assert lines[4].split() == ["1", "simpool", "91.5", low, "to", high, "a", "2", "1.23", "2.5", "4.5", "101"]
    assert [line.split()[0] for line in lines[5:8]] == ["2", "floor", "3"], "the floor stands where it ranks"
    assert "!" in lines[7] and "…" in lines[7] and "worse than the floor" in text


def test_what_cannot_be_told_apart_shares_a_letter_and_the_head_says_so(result, specs, floors):
    values = {"a": (70.0, 80.0), "b": (71.0, 78.0), "c": (72.0, 77.0)}
    board = build([result(name, seed, {"top1": value}) for name, some in values.items() for seed, value in enumerate(some)], specs, floors)
    lines = formats.table(board).splitlines()
    assert lines[1].startswith("no two methods can be told apart with 2 seeds · resolution ") and ", of 5 seeds " in lines[1]
    assert [line.split()[0] for line in lines[3:6]] == ["1–3"] * 3 and len(board.standing(board.rows[0]).tied) == 3
    document = as_json(board)
    assert [(row["rank"], row["tied"]) for row in document["rows"] if row["metric"] == "top1"] == [((1, 3), "a")] * 3
    (standing,) = document["standings"]
    assert (standing["pairs"], standing["told_apart"], standing["seeds"]) == (3, 0, 2)
    # what the head says of 5 seeds is what a simulation of the spread found would show
    assert standing["resolution"]["2"] > standing["resolution"]["5"] > standing["resolution"]["10"] > 0
    assert next(csv.DictReader(io.StringIO(formats.csv_text(board))))["rank_high"] == "3"
    assert "| 1–3 | " in formats.markdown(board) and "1--3 & " in formats.latex(board) and "without a width" not in formats.table(board)
    trials = [result(name, seed, {"top1": value + 1e-4 * seed}) for name, value in (("a", 70.0), ("b", 60.0)) for seed in (0, 1, 2)]
    assert "says nothing of other test images" in formats.table(build(trials, specs, floors)).replace("\n", " ")


def test_a_method_with_one_seed_has_no_place(result, specs, floors):
    trials = [result(name, seed, {"top1": value + seed}) for name, value in (("a", 90.0), ("b", 60.0)) for seed in range(3)]
    board = build([*trials, result("c", 0, {"top1": 75.0})], specs, floors)
    standing = board.standing(board.rows[0])
    assert (standing.tied, standing.ranks) == ({"a": "a", "b": "b"}, {"a": (1, 2), "b": (2, 3)}), "c may stand anywhere"
    assert standing.sentence().startswith("3 seeds tell the two methods that can be judged apart") and "c" in standing.values
    (line,) = [line.split() for line in formats.table(board).splitlines() if line.split()[1:2] == ["c"]]
    assert line[:5] == ["-", "c", "75.0", "-", "-"]
    alone = build([result("c", 0, {"top1": 75.0})], specs, floors)
    assert formats.table(alone).splitlines()[1].split()[:2] == ["method", "top1"] and "standings" not in as_json(alone)


def test_a_method_without_the_primary_metric_has_no_other_ones_interval(result, specs, floors):
    known = [
        result(name, seed, {"top1": top1 + seed, "error": 1 + seed / 10}) for name, top1 in (("b", 90.0), ("c", 60.0)) for seed in range(3)
    ]
    lacking = [result("a", seed, {"error": 1 + seed / 10}) for seed in range(3)]
    text = formats.table(build([*known, *lacking], specs, floors))
    (line,) = [line.split() for line in text.splitlines() if line.split()[1:2] == ["a"]]
    assert line[2:5] == ["-", "-", "-"], "top1, its interval, what it is tied with"


def test_metrics_of_parts_alone_make_a_table_without_a_primary_one(result, specs, floors):
    board = build([result("a", seed, {"top1/cats": 50.0 + seed}) for seed in (0, 1)], specs, floors)
    assert any(line.split()[:2] == ["1", "a"] for line in formats.table(board).splitlines()) and "| 1 | a |" in formats.markdown(board)


def test_collapsed_attention_is_marked_and_explained(result, specs, floors):
    fallen = [result("simpool", seed, labels={"attention": "collapsed"} if seed else {}) for seed in (0, 1)]
    board = build([*fallen, *(result("gap", seed) for seed in (0, 1))], specs, floors)
    text = formats.table(board)
    marked = [line for line in text.splitlines() if "†" in line]
    assert len(marked) == 2 and "simpool" in marked[0] and "harness status" in marked[1]
    assert as_json(board)["collapsed"] == [{"benchmark": "scenes", "method": "simpool", "seeds": 1}]
    assert r"simpool $\dagger$ &" in formats.latex(board) and "% † attention collapsed" in formats.latex(board)
    assert r"$\dagger$ attention collapsed" in document(board)
    assert "collapsed" not in as_json(board.of(["gap"])) and "†" not in formats.table(board.of(["gap"]))


def test_what_makes_a_result_doubtful_is_noted_with_its_seeds(result, specs, floors):
    doubt = "9 of 90 test images have predictions that are not finite"
    board = build([*(result("simpool", seed, labels={"doubt": doubt} if seed else {}) for seed in (0, 1, 2)), result("gap")], specs, floors)
    assert [*board.notes] == [f"scenes v1: 'simpool', seed 1, 2: {doubt}."]


@pytest.mark.parametrize(("times", "rough"), [((5.0, 5.4), False), ((5.0, 9.0), True), ((5.0, 5.1, 5.2, 5.3, 9.0), False), ((5.0,), False)])
def test_a_latency_on_which_seeds_disagree_is_marked(result, specs, floors, times, rough):
    board = build([result("gap", seed, cost=Cost(params=5, latency_ms=ms)) for seed, ms in enumerate(times)], specs, floors)
    assert {row.rough for row in board.rows} == {("latency_ms",) if rough else ()}
    assert {row.cost.latency_ms for row in board.rows} == {statistics.median(times)}


def test_an_uncertain_latency_counts_where_there_is_no_other_and_is_marked(result, specs, floors):
    busy = {"labels": {"rough": "latency_ms"}}
    trials = [result("gap", 0, **busy), result("gap", 1), result("gap", 2), *(result("simpool", seed, **busy) for seed in (0, 1, 2))]
    board = build(trials, specs, floors)
    assert {row.method: (row.cost.latency_ms, row.rough) for row in board.rows if row.primary} == {
        "gap": (5.5, ()),
        "simpool": (5.0, ("latency_ms",)),
    }
    text = formats.table(board)
    assert text.count("~") == 2 and "other things disturbed" in text and "~5" in formats.markdown(board)
    assert as_json(board)["rough"] == [{"benchmark": "scenes", "method": "simpool", "costs": ["latency_ms"]}]
    assert "~" not in formats.table(board.of(["gap"])) and "rough" not in as_json(board.of(["gap"]))


def test_further_metrics_make_room(result):
    from harness.store.records import MetricSpec

    names = ["top1", *(f"a-long-metric-name-{i}" for i in range(9))]
    specs = [MetricSpec("scenes", 1, name, "%", True, "", name == "top1") for name in names]
    text = formats.table(build([result("m" * 60, metrics=dict.fromkeys(names, 12.345))], specs, []))
    assert max(map(len, text.splitlines())) <= 100 and "a-long-metric-name-0" in text and "a-long-metric-name-8" not in text
    assert "a-long-metric-name-8" in formats.table(build([result(metrics=dict.fromkeys(names, 1.0))], specs, []), width=None)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_board_has_the_room_of_its_terminal(board, width):
    """In a narrow one costs go, the last first and none that a front was asked for; in a wide one nothing does."""
    text = formats.table(board, width)
    assert max(map(len, text.splitlines())) <= width
    heads = [name for name in ("Mparams", "GFLOPs", "ms", "MB") if name in text.split("tied:")[0].split()]
    assert heads == ["Mparams", "GFLOPs", "ms", "MB"][: len(heads)] and len(heads) == (1 if width == 60 else 4)
    asked = formats.table(board, width, ["peak_memory_mb"]).split("tied:")[0].split()
    assert "MB" in asked and "front" in asked


def test_without_a_width_a_row_is_a_line_and_nothing_is_left_out(board):
    header, *body = [line.split() for line in formats.table(board, width=None).split("\n\n")[0].splitlines()[3:]]
    assert header == ["rank", "method", "top1", "95", "%", "tied", "error", "n", "Mparams", "GFLOPs", "ms", "MB", "train", "MB"]
    assert [line[-1] for line in body] == ["201", "201", "2.000", "201"], "the floor has no costs"
    assert body[-1][1] == "a-method-with-a-name-that-nobody-would-ever-want-to-read"


def test_rows_of_a_narrow_table_are_told_apart(result, specs):
    """Costs go before names are cut so far that two are the same."""
    names = ["psa-polarized-parallel", "psa-polarized-sequential", "psa-polarized-parallel-paper", "psa-polarized-sequential-paper"]
    board = build([result(name, metrics={"top1": float(place)}) for place, name in enumerate(names)], specs, [])
    for width in (70, 80, 100):
        rows = [line.split()[1] for line in formats.table(board, width).splitlines() if "psa" in line]
        assert len({*rows}) == 4, width
    long = [result("m" * 40 + end, metrics={"top1": value}) for end, value in (("a", 1.0), ("b", 2.0))]
    assert formats.table(build(long, specs, [])).count("…") == 2


def test_what_is_told_of_the_floor_goes_by_place(result, specs, floors):
    """A metric may be called like a column."""
    named = [replace(spec, metric={"top5": "rank"}.get(spec.metric, spec.metric)) for spec in specs]
    trials = [result("gap", seed, metrics={"top1": 50.0 + seed, "rank": 3.0}) for seed in (0, 1)]
    (floor,) = [line for line in formats.markdown(build(trials, named, floors)).splitlines() if "| floor |" in line]
    assert floor.startswith("|  | floor |")


def test_letters_are_one_character_each(result, specs):
    """Of more groups than the alphabet has letters; those that share none differ."""
    trials = [result(f"m{place:02d}", seed, metrics={"top1": 1.5 * place + 0.1 * seed}) for place in range(60) for seed in (0, 1, 2)]
    board = build(trials, specs, [])
    (standing,) = board.standings.values()
    names = [*standing.tied]
    for (i, first), (j, second) in itertools.combinations(enumerate(names), 2):
        assert standing.differ[i, j] != bool({*standing.tied[first]} & {*standing.tied[second]})
    assert len({letter for some in standing.tied.values() for letter in some}) > 26


def test_intervals_end_where_the_metric_does(result, specs):
    """Also where one value is zero, or a rounding above 100."""

    def two(a, b):
        return [result(name, seed, metrics={"top1": value}) for name, some in (("a", a), ("b", b)) for seed, value in enumerate(some)]

    perfect = build(two((100.00001, 98.0), (97.0, 99.0)), specs, []).rows
    assert all(row.ci95[0] <= row.mean <= row.ci95[1] <= 100.0001 for row in perfect if row.primary)
    metres = [replace(spec, unit="m", higher_is_better=False) for spec in specs]
    assert all(row.ci95[0] >= 0 for row in build(two((0.0, 0.02), (0.1, 0.2)), metres, []).rows if row.primary)
    tiny = two((1.2e-5, 1.3e-5), (2.2e-5, 2.4e-5))
    assert "nearly" not in formats.table(build(tiny, metres, []))  # zeros in print, but no two seeds are alike


def test_csv_reads_back(board):
    rows = list(csv.DictReader(io.StringIO(formats.csv_text(board))))
    assert len(rows) == 6
    assert float(rows[0]["mean"]) == 91.5 and float(rows[0]["ci95_low"]) < 91.5 < float(rows[0]["ci95_high"])
    assert len(rows[0]["digests"].split()) == 2 and rows[0]["version"] == "1"


def test_what_set_changed_of_a_method_is_in_every_text(result, specs, floors):
    changed = ("method.note=a\nb", "method.ratio=0.5")
    board = build([result("gap", overrides=changed), result("gem")], specs, floors)
    texts = [formats.table(board), formats.markdown(board), formats.latex(board), formats.csv_text(board), json.dumps(as_json(board))]
    assert all("method.ratio=0.5" in text for text in texts)
    assert texts[2].splitlines()[-1].endswith("gap was run with --set method.note=a b --set method.ratio=0.5, not as registered")
    assert texts[2].splitlines()[-1].startswith("% scenes v1")
    assert "gap ‡" in texts[0] and "gap ‡" in texts[1] and r"gap $\ddagger$ &" in texts[2]  # a row that is copied alone says it, too
    assert all("‡ run with `--set method.…`" in text for text in texts[:3])
    assert as_json(board)["overrides"] == [{"benchmark": "scenes", "differs": "", "method": "gap", "overrides": [*changed]}]
    assert "overrides" not in as_json(build([result("gem")], specs, floors))


def test_markdown_and_latex_escape(result, specs, floors):
    text = formats.markdown(build([result("a|b")], specs, floors))
    assert "a\\|b" in text and text.splitlines()[3].startswith("| --- |")
    text = formats.latex(build([result("a_b")], specs, floors))
    assert r"a\_b" in text and r"\toprule" in text and text.count("{tabular}") == 2


def test_the_map_that_located_objects_is_named(result, specs, floors):
    trials = [result("simpool", 0, notes=("corloc: threshold",), labels={"map": "pooling attention"}), result("gap", 0)]
    board = build(trials, specs, floors)
    assert [line.split()[-2:] for line in formats.table(board).splitlines()[2:4]] == [["100", "-"], ["pooling", "attention"]]
    assert formats.table(board).splitlines()[1].split()[-1] == "map" and "| map |" in formats.markdown(board)
    assert [row["map"] for row in csv.DictReader(io.StringIO(formats.csv_text(board)))] == ["", "pooling attention"]
    assert as_json(board)["maps"] == [{"benchmark": "scenes", "method": "simpool", "map": "pooling attention"}]
    assert "maps" not in as_json(build(trials[1:], specs, floors))
