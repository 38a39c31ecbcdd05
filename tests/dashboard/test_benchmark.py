"""The page of a benchmark."""

from __future__ import annotations

import csv
import io
import math
import time

import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

from dashboard import reads, tables

NAME = "scenes-classification"


def table(app, place: int = 0):
    return app.dataframe[place].value.set_index("method")


def shown(app):
    """The same as the browser shows it."""
    frame = convert_arrow_bytes_to_pandas_df(app.dataframe[0].proto.arrow_data.styler.display_values)
    frame.columns = app.dataframe[0].value.columns
    return frame.set_index("method")


def charts(app) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


@pytest.fixture
def filled(measured):
    measured("gap", 90.0, None, 91.0)
    measured("gem", 89.5, 90.0, 91.0)
    measured("se", 10.0, 11.0, 12.0)
    measured("simpool", None, None, None)


def test_the_table_has_places_intervals_the_floor_at_its_rank_and_what_failed(page, filled):
    app = page("benchmark", benchmark=NAME)
    frame, said = table(app), shown(app)
    assert [*frame.index] == ["gap", "gem", "floor", "se", "simpool"], "the floor where it ranks, not last"
    assert [*said["mean"]] == ["90.5", "90.2", "16.7", "11.0", "failed"] and [*said["n"]] == ["2/3", "3", "-", "3", "0/3"]
    assert [*said["rank"]] == ["1–2", "1–2", "-", "3", "-"] and [*frame["tied"]] == ["a", "a", "", "b", ""]
    assert frame["mean"].dtype == float and frame.loc["simpool", "mean"] == -math.inf
    assert '"label": "train MB"' in app.dataframe[0].proto.columns, "narrow headings, so that the columns fit"
    assert 80 < frame.loc["gap", "from"] < 90.5 < frame.loc["gap", "to"] <= 100, "cut where a percentage ends"
    assert [frame.loc[name, "remarks"] for name in ("gap", "se")] == ["1 failed: nan", "below the floor"]
    assert said.loc["gap", "parameters (M)"] == "0.700" and [*frame["map"]][:2] == ["class activation"] * 2
    assert any("tell 2 of 3 pairs apart" in block.value for block in app.text)


def test_downloads_are_exact_and_say_what_was_measured(page, filled, monkeypatch):
    files = {}
    monkeypatch.setattr(tables, "download", lambda name, content, *_: files.update({name: content()}))
    page("benchmark", benchmark=NAME, tab="All metrics")
    short, whole = (list(csv.DictReader(io.StringIO(files[f"{NAME}{end}.csv"]))) for end in ("", "-all-metrics"))
    assert [(line["method"], line["metric"]) for line in short] == [(name, "top1") for name in ("gap", "gem", "se")] + [("simpool", "")]
    assert {(line["method"], line["metric"]) for line in whole} > {("gap", "top1"), ("gap", "top5")}
    for line in short[:3]:
        assert (line["benchmark"], line["version"], len(line["digests"].split())) == (NAME, "3", int(line["n"]))
    assert len(short[0]["ci95_low"]) > 10 and (short[0]["asked"], short[0]["missing"]) == ("3", "1 failed: nan"), "nothing is rounded"


def test_settings_are_chosen_and_never_mixed(page, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 90.0, 92.0, sets=("schedule.epochs=1",))
    app = page("benchmark", benchmark=NAME)
    assert [*table(app).index] == ["gap", "floor"]
    (box,) = [box for box in app.selectbox if box.label == "Setting"]
    assert box.options == ["as registered", "--set schedule.epochs=1"]
    box.select_index(1).run()
    assert [*table(app).index] == ["gem", "floor"] and app.query_params["block"]
    assert any("--set schedule.epochs=1" in block.value for block in app.text)


@pytest.mark.parametrize(
    ("tab", "says"),
    [
        ("All metrics", "All metrics of scenes-classification"),
        ("Cost", "top1 against latency (ms)"),
        ("Diagnostics", "Diagnostics of the attention on scenes-classification"),
        ("Resolution", "Smallest difference that is shown, by seeds"),
        ("Mistakes", "Test images by class and by what they are taken for"),
    ],
)
def test_a_tab_is_open_by_its_address(page, filled, tab, says):
    app = page("benchmark", benchmark=NAME, tab=tab)
    assert says in [*charts(app), *(frame.proto.alt for frame in app.dataframe)]


def test_samples_are_drawn_with_their_annotations(page, measured):
    measured("gap", 70.0, 72.0)
    assert len(page("benchmark", benchmark=NAME, tab="Samples").get("image")) == 8


def test_only_the_tie_group_is_drawn_when_asked_for(page, filled):
    assert charts(page("benchmark", benchmark=NAME))[0].startswith("Means of 3 methods")
    assert charts(page("benchmark", benchmark=NAME, near="tie group of the best"))[0].startswith("Means of 2 methods")


def test_benchmarks_that_are_not_there_are_sentences(page, measured):
    measured("gap", None, None)
    assert [*table(page("benchmark", benchmark=NAME)).index] == ["gap"], "all of it failed"
    assert any("No trial of this benchmark" in block.value for block in page("benchmark", benchmark="digits").info)
    assert any("no 'nowhere'" in block.value for block in page("benchmark", benchmark="nowhere").text)


def test_a_floor_that_is_far_stretches_no_axis(page, measured):
    measured("gap", 90.0, 91.0)
    measured("gem", 88.0, 92.0)
    assert any(block.value == "The floor, 16.7, lies beyond the axis." for block in page("benchmark", benchmark=NAME).text)
    measured("se", 20.0, 21.0)
    time.sleep(reads.CHECKED + 0.2)  # until then pages need not know of it
    assert not any("beyond the axis" in block.value for block in page("benchmark", benchmark=NAME).text)


def test_all_metrics_begin_with_the_floor_and_mark_what_is_worse(page, filled):
    app = page("benchmark", benchmark=NAME, tab="All metrics")
    frame = convert_arrow_bytes_to_pandas_df(app.dataframe[1].proto.arrow_data.styler.display_values)
    told = dict(zip(frame.iloc[:, 0], frame.iloc[:, 1], strict=True))
    assert [*told][:2] == ["floor", "gap"] and (told["gap"], told["se"]) == ("90.5", "11.0 !")
    assert any("worse than the floor" in block.value for block in app.caption)
