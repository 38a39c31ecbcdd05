"""A method's page: what it is, where it stands and what papers print of it, from a handful of results."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.analysis.claims.columns import Blocks
from harness.analysis.claims.published import load
from harness.analysis.claims.verdicts import judge
from harness.analysis.diagnostics import build as diagnose
from harness.analysis.leaderboard import build
from harness.analysis.views import method as view
from harness.catalog import load_catalog
from harness.catalog.plugins import discover
from harness.listing import places, unmeasurable
from harness.store.records import MetricSpec


@pytest.fixture
def board(result, specs):
    values = {"gap": (90.0, 91.0, 92.0), "simpool": (60.0, 61.0, 62.0), "gem": (59.5, 61.5, 62.5), "how": (math.nan, 50.0, 50.0)}
    trials = [result(name, seed, {"top1": value}) for name, some in values.items() for seed, value in enumerate(some)]
    trials += [result("gap", seed, {"top1": 10.0 + seed}, overrides=("schedule.epochs=1",), setting="other") for seed in range(2)]
    return build(trials, specs, [])


def test_a_method_stands_where_its_block_puts_it(board):
    first, second = view.places(board, "gap")
    assert (first.position, first.ends, first.of, first.tied, first.best.method) == (1, (1, 2), 4, "a", "gap")
    assert (second.of, second.position, second.best.method) == (1, 1, "gap") and "--set schedule.epochs=1" in second.where
    (simpool,) = view.places(board, "simpool")
    assert simpool.ends == (2, 4) and simpool.tied == "b" and simpool.best.method == "gap"
    (how,) = view.places(board, "how")
    assert how.position is None and how.ends is None, "a mean that is no number has no place"
    assert view.places(board, "nobody") == []


def test_every_method_of_the_registry_is_described():
    catalog, files = load_catalog(), discover()
    for name, method in catalog.methods.items():
        told = view.about(catalog, files, name)
        assert [part.slot for part in told.parts] == [*method.slots]
        for part in told.parts:
            assert part.told.sections["Formula"] and part.told.text and all(option.meaning for option in part.told.options)
            assert not Path(part.file).is_absolute() and part.file.endswith(".py")
        assert (told.state == "planned") == (not method.slots) and (told.missing or told.state in ("works", "wraps"))
    assert view.about(catalog, files, "left-the-registry") is None


def test_a_plugin_that_is_gone_leaves_the_rest(result):
    catalog = load_catalog()
    (part,) = view.about(catalog, [], "simpool").parts
    assert (part.plugin, part.told, part.file) == ("simpool", None, "")


def test_what_is_missing_is_counted_with_its_reason(trial_row):
    rows = [trial_row("gap", seed) for seed in range(2)]
    rows += [trial_row("gap", 2, reason="out of memory"), trial_row("gap", 3, state="running"), trial_row("gap", 4, state="done")]
    rows += [trial_row("gap", 5, state="running", alive=True, benchmark="rooms"), trial_row("gap", 6, purpose="tuning")]
    found = [(some.benchmark, some.state, some.count, some.reason) for some in view.unfinished(rows)]
    assert ("scenes", "failed", 3, "the loss is not a number") in found and len(found) == 3
    assert [line[:3] for line in found if line[1] != "failed"] == [("rooms", "running", 1), ("scenes", "interrupted", 1)]


def test_printed_numbers_stand_beside_what_was_measured(result):
    catalog = load_catalog()
    specs = [MetricSpec("cityscapes", 1, "mIoU", "%", True, "mIoU", True)]
    trials = [
        result(name, seed, {"mIoU": value}, benchmark="cityscapes", family="segmentation", tier="paper")
        for name, values in (("dnl-unary-only", (78.0, 80.0)), ("identity", (70.0, 72.0)))
        for seed, value in enumerate(values)
    ]
    board = build(trials, specs, [])
    (unary,) = view.printed(catalog, board, load(), "dnl-unary-only")
    assert (unary.benchmark, unary.number.value, unary.measured.mean) == ("cityscapes", 79.3, 79.0)
    baseline = [row for row in view.printed(catalog, board, load(), "identity") if row.measured]
    assert [row.measured.mean for row in baseline] == [71.0] and baseline[0].number.method_id == "seg-baseline-fcn"

    simpool = view.printed(catalog, board, load(), "simpool")
    lines = [row.number.line for row in simpool]
    assert len(lines) == len({*lines}), "no number twice"
    known = {number.line for number in load() if number.method_id == "simpool" and number.value is not None}
    assert {*lines} <= known and [bool(row.benchmark) for row in simpool] == sorted((bool(row.benchmark) for row in simpool), reverse=True)
    lost = [number for number in load() if number.line in known - {*lines}]
    shown = {(row.number.dataset, row.number.metric, row.number.value) for row in simpool}
    assert all((number.dataset, number.metric, number.value) in shown for number in lost), "only repetitions are left out"


def test_claims_name_the_method_on_either_side(board):
    catalog = load_catalog()
    where = places(catalog)
    why = {claim.id: unmeasurable(claim, catalog) for claim in catalog.claims.values() if not where[claim.id]}
    judged = judge(catalog.claims.values(), where, Blocks(board, []), why)
    for name in ("simpool", "gap"):
        found = view.claims(judged, name)
        assert {*found} == {claim.id for claim in catalog.claims.values() if name in claim.methods} and found
    assert "simpool-over-gap" in view.claims(judged, "gap")


def test_diagnostics_of_one_method_by_block(result, specs):
    trials = [
        result(name, seed, diagnostics={"entropy": value + seed, "entropy/neck": value})
        for name, value in (("gap", 1.0), ("gem", 5.0))
        for seed in (0, 1)
    ]
    found = view.diagnosed(diagnose(build(trials, specs, []), trials), "gap")
    means = {where: {name: row.summary.mean for name, row in some.items()} for where, some in found.items()}
    assert means == {"scenes v1": {"entropy": 1.5}}
