"""The page of regressions: a baseline against now, worst first, and the history of a metric."""

from __future__ import annotations

import json

import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

from harness.cli import main


@pytest.fixture
def saved(measured, database, tmp_path):
    """A baseline of two methods beside the database, one of which has got worse since."""
    measured("gap", 70.0, 71.0, 70.5)
    measured("gem", 60.0, 61.0, 60.5)
    folder = tmp_path / "results" / "baselines"
    main(["baseline", "save", str(folder / "mine.json"), "--db", database, "--leave-out"], standalone_mode=False)
    return folder


def entries(app):
    return next(frame.value for frame in app.dataframe if "allowed" in frame.value)


def test_the_worst_stand_first(page, saved):
    app = page("regressions", baseline="mine")
    assert entries(app)["status"].unique().tolist() == ["= same"] and any(block.value.startswith("passed") for block in app.text)
    assert not app.get("vega_lite_chart"), "nothing changed"
    content = json.loads((saved / "mine.json").read_text())
    for cell in content["cells"]:
        for metric in cell["metrics"]:
            if (cell["method"], metric["metric"]) == ("gem", "top1"):
                metric["values"] = [value + 35 for value in metric["values"]]
    (saved / "better.json").write_text(json.dumps(content))
    app = page("regressions", baseline="better")
    table = entries(app)
    assert table.loc[0, ["method", "status", "now", "baseline", "metric"]].tolist() == ["gem", "× worse", "60.5", "95.5", "top1 (%)"]
    assert table["change"][0] == pytest.approx(-35) and table["status"][1] == "= same"
    assert len(app.get("vega_lite_chart")) == 1
    (styled,) = (frame.proto.arrow_data.styler for frame in app.dataframe if "allowed" in frame.value)
    shown = convert_arrow_bytes_to_pandas_df(styled.display_values)
    assert shown.iloc[:2, [*table].index("change")].tolist() == ["-35.0", "+0.0"], "in the decimals of its unit"
    assert any(block.value == "regression: 3 same, 1 worse" for block in app.text)
    assert entries(page("regressions", baseline="better", method="gap", primary="1"))["method"].tolist() == ["gap"]
    app = page("regressions", baseline="better", state="worse", method="gap")
    assert any("No entry passes" in block.value for block in app.text)


def test_baselines_lie_beside_the_database_and_are_shipped(page, saved):
    (saved / "broken.json").write_text("{")
    app = page("regressions", baseline="broken")
    assert [block.value for block in app.error] == ["The baseline cannot be compared."]
    assert any("is not JSON" in block.value for block in app.text)
    app = page("regressions", baseline="/etc/passwd")
    assert any("there is no '/etc/passwd'" in block.value for block in app.text)
    assert {*next(box for box in app.selectbox if box.label == "Baseline").options} == {"broken", "mine", "quick"}


def test_new_entries_are_left_out_unless_asked_for(page, saved, measured):
    measured("how", 50.0, 51.0)
    app = page("regressions", baseline="mine")
    assert "how" not in set(entries(app)["method"]) and any(
        "entries of its benchmarks that the baseline does not have" in block.value for block in app.text
    )
    assert set(entries(page("regressions", baseline="mine", state="new"))["method"]) == {"how"}


def test_costs(page, saved):
    app = page("regressions", baseline="mine", costs="1")
    assert any("ratio" in frame.value for frame in app.dataframe)


def test_the_history_of_a_metric(page, saved):
    app = page("regressions", tab="History", benchmark="scenes-classification", method="gem", metric="top5")
    table = next(frame.value for frame in app.dataframe if "version" in frame.value)
    assert table["mean"].tolist() == [90.0] and table["n"].tolist() == [3]
    assert len(app.get("vega_lite_chart")) == 1 and any("one version so far" in block.value for block in app.text)
    app = page("regressions", tab="History", benchmark="none", method="none", metric="none")
    assert sum("there is no 'none' here" in block.value for block in app.text) == 3
