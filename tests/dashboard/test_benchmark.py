"""The page of a benchmark."""

from __future__ import annotations


def test_it_draws_samples_and_results(page, measured):
    measured("gap", 70.0, 72.0)
    app = page("benchmark", benchmark="scenes-classification")
    assert app.selectbox[0].value == "scenes-classification"
    assert "gap" in set(app.dataframe[0].value["method"])
    assert app.get("image")


def test_a_classifier_shows_what_it_takes_for_what(page, measured):
    measured("gap", 70.0, 72.0)
    app = page("benchmark", benchmark="scenes-classification")
    assert "What is taken for what" in [header.value for header in app.header]
    assert any("adds up to 100 %" in caption.value for caption in app.caption)
