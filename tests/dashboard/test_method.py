"""The page of one method."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from harness.analysis import source
from harness.analysis.claims.published import load
from harness.catalog.documented import documented
from harness.catalog.plugins import discover, owners


def _texts(app) -> str:
    return "\n".join(block.value for block in app.text)


def _table(app, column: str):
    return next(frame.value for frame in app.dataframe if column in frame.value)


def test_where_a_method_stands_and_what_it_costs(database, measured, page):
    measured("simpool", 70.0, 72.0)
    measured("gap", 10.0, 11.0)
    measured("gap", 50.0, 52.0, sets=("schedule.epochs=1",))
    app = page("method", method="gap")
    assert any("Thick bar" in block.value for block in app.caption)
    table = _table(app, "rank")
    row, other = (table.loc[place] for place in range(2))
    mine = next(row for row in source.board(database).rows if row.method == "gap" and row.primary)
    assert (row["benchmark"], row["mean"], row["rank"], row["tied"], row["n"]) == ("scenes-classification v3", 10.5, "2 of 2", "b", 2)
    assert (row["from"], row["to"]) == mine.ci95 and row["best"] == "simpool" and row["its mean"] == 71.0
    assert row["notes"] == "below the floor" and row["parameters (M)"] == 0.7 and row["latency (ms)"] == 10.0
    assert (other["rank"], other["best"]) == ("- of 1", "gap") and "--set schedule.epochs=1" in other["setting"]


def test_what_a_method_is_comes_from_the_registry_and_its_plugin(database, measured, page):
    measured("gap", 10.0, 11.0)
    app = page("method", method="simpool")
    file = owners(discover())["simpool"]
    told = documented(file.path, "simpool", file.parameters["simpool"])
    assert told.sections["Formula"] in [block.value for block in app.code]
    assert "plugins/harness_plugins/pooling/simpool.py" in _texts(app) and "SimPool · attention pooling · works" in _texts(app)
    (paper,) = [block.value for block in app.markdown if "arxiv.org" in block.value]
    assert "(https://arxiv.org/abs/2309.06891)" in paper and "(https://github.com/billpsomas/simpool)" in paper
    options = _table(app, "option")
    assert list(options["option"]) == [option.name for option in told.options] and options["tuned over"][0] == "linear [1.0, 3.0]"
    assert any("harness run -m simpool" in block.value for block in app.code), "never run: how to"


def test_printed_numbers_and_claims_stand_in_tabs(database, measured, page):
    measured("simpool", 70.0, 72.0, 71.0)
    measured("gap", 10.0, 11.0, 12.0)
    table = _table(page("method", method="simpool", tab="Published"), "published")
    assert {*table["published"]} <= {number.value for number in load() if number.method_id == "simpool"} and table["measured"].isna().all()
    first = table["benchmark"].notna().to_numpy()
    assert "cub-200-2011" in {*table["benchmark"]} and not any(first[first.argmin() :]), "what a benchmark here measures, too, comes first"
    assert len(table) > 40
    assert "from" not in table and "None of these benchmarks was run" in _texts(page("method", method="simpool", tab="Published"))
    claims = _table(page("method", method="gap", tab="Claims"), "statement").set_index("claim")
    judged = {row.claim.id: row.verdict for row in source.claims(database) if row.tier == "synthetic"}
    assert claims.loc["simpool-over-gap", "synthetic"] == judged["simpool-over-gap"] == "agrees"
    assert claims.loc["simpool-over-gap", "small"] == "not measured"
    diagnostics = _table(page("method", method="gap", tab="Diagnostics"), "entropy")
    assert diagnostics["entropy"][0] == "0.110 ± 0.025"


def test_a_number_that_was_measured_stands_beside_the_printed_one(database, measured, page):
    measured("simpool", 60.0, 62.0, on="digits")
    with sa.create_engine(database).begin() as connection:  # as if these were trials of a paper's benchmark, whose data is not here
        for change in (
            "UPDATE trials SET benchmark = 'cub-200-2011', version = 1",
            "UPDATE specs SET benchmark = 'cub-200-2011', version = 1, metric = replace(metric, 'top1', 'maxboxaccv2')",
            "UPDATE names SET name = 'maxboxaccv2' WHERE name = 'top1'",
        ):
            connection.execute(sa.text(change))
    row = _table(page("method", method="simpool", tab="Published"), "published").set_index("benchmark", drop=False).loc["cub-200-2011"]
    assert (row["published"], row["measured"], row["n"], row["benchmark"]) == (77.9, 61.0, 2, "cub-200-2011")
    assert row["from"] < 61 < row["to"]


def test_a_method_that_only_failed_says_why(database, measured, page):
    measured("gap", None, None, 10.0)
    measured("gem", None)
    assert "scenes-classification: 2 trials failed: the loss is not a number in epoch 2" in _texts(page("method", method="gap"))
    assert "scenes-classification: 1 trial failed: the loss is not a number" in _texts(page("method", method="gem"))


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_method_that_left_the_registry_keeps_its_results(database, measured, page, state):
    evil = "<script>alert(1)</script> ![x](http://example.org/x.png) $x$ ‮" + "long-" * 20
    measured("gap", 70.0, 72.0) if state == "done" else measured("gap", None)
    with sa.create_engine(database).begin() as connection:
        connection.execute(sa.text("UPDATE trials SET method = :name"), {"name": evil})
    app = page("method", method=evil)
    assert "not in the registry" in _texts(app)
    assert all("<script>" not in block.value and "](http" not in block.value for block in (*app.markdown, *app.subheader, *app.caption))
    assert any("alert" in block.value for block in app.subheader)
    tabs = {"Published": "No paper", "Claims": "No claim"}
    assert all(sentence in _texts(page("method", method=evil, tab=tab)) for tab, sentence in tabs.items())


def test_a_method_that_does_not_exist_is_told(database, measured, page):
    measured("gap", 70.0, 72.0)
    app = page("method", method="nobody")
    assert "there is no 'nobody'" in _texts(app) and app.subheader[0].value == "gap"
