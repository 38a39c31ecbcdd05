"""The page of runs."""

from __future__ import annotations


def test_it_shows_why_a_trial_failed(page, measured):
    measured("gap", 70.0, None)
    app = page("runs", state="failed")
    assert list(app.dataframe[0].value["reason"]) == ["the loss is not a number in epoch 2"]
