"""The page of claims: verdicts, filters, and the evidence of one."""

from __future__ import annotations

import pytest


@pytest.fixture
def judged(measured):
    measured("simpool", 60.0, 61.0, 60.5, 60.2)
    measured("gap", 70.0, 71.5, 70.5, 69.9)


def claims(app):
    return next(frame.value for frame in app.dataframe if "claim" in frame.value).set_index("claim")


def test_verdicts_stand_beside_what_is_published(page, judged):
    table = claims(page("claims"))
    assert (
        table.loc["simpool-over-gap", "synthetic"].startswith("× disagrees: ")
        and table.loc["simpool-over-gap", "published"] == "+0.6 to +2.1 %"
    )
    assert set(table.columns) == {"synthetic", "small", "paper", "published", "says", "source"}


def test_filters_narrow_the_list(page, judged):
    every = claims(page("claims"))
    app = page("claims", verdict="disagrees", tier="synthetic")
    assert list(claims(app).index) == ["simpool-over-gap"] and list(claims(app).columns) == ["synthetic", "published", "says", "source"]
    assert set(claims(page("claims", family="segmentation")).index) < set(every.index)
    assert all("gap" in name for name in claims(page("claims", q="gap simpool")).index)
    assert any("No claim passes" in block.value for block in page("claims", q="no such words").text)
    assert any("there is no 'none'" in block.value for block in page("claims", tier="none").text)


def test_one_claim_shows_its_evidence(page, judged):
    app = page("claims", claim="simpool-over-gap")
    evidence = next(frame.value for frame in app.dataframe if "Holm" in frame.value)
    assert evidence["benchmark"].tolist() == ["scenes-classification v3"] and evidence["says"].tolist() == ["disagrees"]
    assert len(app.get("vega_lite_chart")) == 1
    assert any("on synthetic data: disagrees" in block.value for block in app.text)
    assert any("harness run -b digits" in block.value for block in app.code)
    about = dict(next(frame.value for frame in app.dataframe if "what" in frame.value).to_numpy().tolist())
    assert about["a"] == "simpool" and about["tested"] == "a is better than b by top1"


def test_of_tuned_methods_nothing_is_measured_here(page, judged):
    app = page("claims", tuned="1")
    assert claims(app).loc["simpool-over-gap", "synthetic"] == "· not measured"
    assert any("an interval is of the point that was chosen" in block.value for block in app.text)


def test_a_claim_that_is_not_there_is_a_sentence(page, judged):
    app = page("claims", claim="none")
    assert any("There is no claim 'none'" in block.value for block in app.text) and len(claims(app))
