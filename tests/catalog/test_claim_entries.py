"""Claims are data: what is wrong in them is named, and no number in them is from memory."""

from __future__ import annotations

import pytest
import yaml

from harness import paths
from harness.analysis.claims.published import load, sides
from harness.catalog import load_catalog, read_registry
from harness.errors import UsageError
from harness.listing import places, unmeasurable

CLAIM = {
    "statement": "s", "source": "A, 2020", "place": "table 1", "family": "classification",
    "better": "simpool", "than": "gap", "metric": "top1",
}  # fmt: skip


@pytest.fixture
def read(tmp_path, monkeypatch):
    """The claims of an own registry with one, some of whose keys are changed; ``None`` leaves one out."""
    monkeypatch.chdir(tmp_path)

    def make(name="mine", **changes):
        entry = {key: value for key, value in (CLAIM | changes).items() if value is not None}
        (tmp_path / "registry.yaml").write_text(yaml.safe_dump({"claims": {name: entry}}), encoding="utf-8")
        return load_catalog().claims[name]

    return make


def test_both_sides_are_known(read):
    claim = read()
    assert (claim.kind, claim.method, claim.other, claim.measure, claim.methods) == ("better", "simpool", "gap", "top1", ["simpool", "gap"])
    described = read(better=None, metric=None, lower="simpool", diagnostic="entropy", than="entropy_uniform")
    assert (described.kind, described.other, described.methods) == ("lower", None, ["simpool"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"better": "simpol"}, r"unknown method 'simpol'. Did you mean 'simpool'"),
        ({"than": "gep"}, r"unknown method 'gep'"),
        ({"than": "entropy"}, r"unknown method 'entropy'"),
        ({"than": "simpool"}, r"compared with itself"),
        ({"than": 3.0}, r"`than:` is a method"),
        ({"family": "classificaton"}, r"unknown family 'classificaton'"),
        ({"benchmarks": ["digit"]}, r"unknown benchmark 'digit'. Did you mean 'digits'"),
        ({"benchmarks": ["rooms"]}, r"'rooms' is of the family camera-localization"),
        ({"higher": "gem"}, r"says one of"),
        ({"better": None}, r"says one of"),
        ({"metric": None}, r"about a `metric:` or a `diagnostic:`"),
        ({"diagnostic": "entropy"}, r"about a `metric:` or a `diagnostic:`"),
        ({"metric": None, "diagnostic": "entropy"}, r"a metric has a direction"),
        ({"better": None, "higher": "gem", "metric": None, "diagnostic": "entropie"}, r"unknown diagnostic 'entropie'"),
        ({"better": None, "alike": "simpool"}, r"`alike:` says up to which difference"),
        ({"margin": 1.0}, r"`alike:` says up to which difference"),
        ({"published": [{"values": [1.0, 2.0]}]}, r"say where the numbers stand"),
        ({"published": [{"values": [1.0], "place": "table 1"}]}, r"at least 2 items"),
        ({"published": [{"values": [1.0, 2.0], "where": {"datset": "x"}}]}, r"datset"),
        ({"source": None}, r"source: Field required"),
        ({"name": "simpool-over-gap"}, r"claim 'simpool-over-gap' is defined in"),
    ],
)
def test_what_is_wrong_is_named(read, changes, said):
    with pytest.raises(UsageError, match=said):
        read(**changes)


def test_published_rows_are_of_known_benchmarks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = "published: {rooms2: {rows: [{metric: top1, where: {dataset: X}}]}}"
    (tmp_path / "registry.yaml").write_text(entry, encoding="utf-8")
    with pytest.raises(UsageError, match=r"published 'rooms2': unknown benchmark 'rooms2'"):
        load_catalog()


SHIPPED = read_registry(paths.home() / "registry.yaml")


def _unfound(claim) -> list[str]:
    """Printed pairs that do not stand in results/published.csv as they are given, in the claim's direction."""
    wrong = []
    for printed in claim.published:
        if printed.place:
            continue
        found = sides(claim, printed, load())
        places = [{(row.dataset, row.metric) for row in side} for side in found]
        if len(found) != 2 or not all(found) or not places[0] & places[1]:
            wrong.append(f"{claim.id}: {printed.values} stand nowhere together")
            continue
        row = found[0][0]
        gain = (printed.values[0] - printed.values[1]) * (1 if row.higher_is_better else -1)
        if row.unit != printed.unit or (claim.kind == "better" and gain <= 0) or (claim.kind == "alike" and abs(gain) > claim.margin):
            wrong.append(f"{claim.id}: {printed.values} {printed.unit} are not what line {row.line} says")
    return wrong


def test_every_published_number_stands_in_the_file():
    assert len(SHIPPED.claims) >= 25
    assert [text for claim in SHIPPED.claims.values() for text in _unfound(claim)] == []
    outside = {printed.place.split(":")[0] for claim in SHIPPED.claims.values() for printed in claim.published if printed.place}
    assert outside == {"README of DeLightCMU/PSA at 0a707e0"}, "each further source is read again before it is added here"


@pytest.mark.parametrize(
    "changes",
    [
        {"values": [57.2, 55.0]},
        {"values": [55.0, 57.1], "rows": ["gap", "simpool"]},
        {"values": [57.1, 72.7], "rows": ["simpool", "baseline-gap-or-cls"], "where": {"dataset": "ImageNet-1k"}},
        {"values": [57.1, 55.0], "unit": "m"},
        {"values": [57.1, 55.0], "rows": ["simpool"]},
    ],
)
def test_a_number_that_does_not_stand_there_is_found_out(changes):
    claim = SHIPPED.claims["simpool-over-gap"]
    given = claim.published[0].model_copy(update=changes)
    assert _unfound(claim.model_copy(update={"published": [given]}))
    assert not _unfound(claim.model_copy(update={"published": [claim.published[0]]}))


def test_every_claim_can_be_judged_or_says_why_not():
    where = places(SHIPPED)
    for claim in SHIPPED.claims.values():
        assert bool(where[claim.id]) != bool(not where[claim.id] and unmeasurable(claim, SHIPPED)), claim.id
        if not where[claim.id]:
            assert not unmeasurable(claim, SHIPPED).startswith("no benchmark of"), f"{claim.id}: {unmeasurable(claim, SHIPPED)}"
        for name in claim.benchmarks:
            assert name in {place.benchmark for place in where[claim.id]}, f"{claim.id} cannot be judged on {name}"
    assert {place.measure for place in where["psa-over-plain"]} == {"PCK@0.05", "median_px", "AP", "PCKh@0.5"}


def test_every_mapping_to_a_benchmark_finds_numbers_and_metrics():
    from harness import benchmarks

    for name, entry in SHIPPED.published.items():
        metrics = {metric.name for metric in benchmarks.task(SHIPPED.benchmarks[name]).metrics}
        for match in entry.rows:
            assert match.metric in metrics, f"{name} has no {match.metric}"
            assert any(row.stands_in(match.where) and row.value is not None for row in load()), f"{name}: {match.where}"
