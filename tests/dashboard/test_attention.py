"""The page of the attention."""

from __future__ import annotations


def test_it_shows_diagnostics(page, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 82.0)
    app = page("attention", benchmark="scenes-classification")
    table = next(frame.value for frame in app.dataframe if "entropy" in frame.value)
    assert list(table["method"]) == ["gem", "gap"] and table["entropy"][0] == "0.810 ± 0.127"
    assert next(box for box in app.selectbox if box.label == "Measure").value == "entropy"
