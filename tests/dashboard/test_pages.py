"""The dashboard's pages, run by Streamlit's own test driver and once in a real browser."""

from __future__ import annotations

import importlib.util

import pytest
from streamlit.testing.v1 import AppTest

from harness import paths

DASHBOARD = paths.home() / "dashboard"


@pytest.fixture
def database(tmp_path, monkeypatch):
    """URL of a database the dashboard will read, absent at first."""
    import streamlit as st

    url = f"sqlite:///{tmp_path}/results/harness.db"
    monkeypatch.setenv("HARNESS_DB", url)
    st.cache_data.clear()
    return url


def page(name: str) -> AppTest:
    app = AppTest.from_file(str(DASHBOARD / f"{name}.py"), default_timeout=60)
    app.run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("name", ["leaderboard", "runs"])
def test_an_absent_database_says_what_to_run(database, name):
    app = page(name)
    assert any("harness run -s quick" in block.value for block in app.code)


@pytest.mark.parametrize("name", ["leaderboard", "runs"])
def test_an_unreadable_database_is_an_explanation(database, tmp_path, name):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "harness.db").write_bytes(b"this is no database" * 100)
    app = page(name)
    assert app.error
    assert any("harness.db" in block.value for block in app.text)


def test_leaderboard_shows_methods_intervals_and_the_floor(database, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 10.0, 11.0)
    app = page("leaderboard")
    table = app.dataframe[0].value.set_index("method")
    assert list(table.index) == ["gap", "gem", "floor"]
    assert table.loc["gap", ["mean", "over", "rank", "tied"]].tolist() == ["71.0", "seeds", "1", "a"]
    low, high = map(float, table.loc["gap", "95 %"].split(" to "))
    assert 58.3 < low < 71 < high < 83.7, "narrower than Student's"
    assert any("2 seeds tell the two methods apart" in block.value for block in app.text)
    assert table.loc["gem", "below floor"] == "below floor"
    assert table.loc["floor", "mean"] == "16.7"


def test_what_may_not_be_compared_stands_in_tables_of_its_own(database, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 90.0, 92.0, sets=("schedule.epochs=1",))
    for name in ("leaderboard", "benchmark"):
        app = page(name)
        tables = [frame.value for frame in app.dataframe if "95 %" in frame.value]
        assert [list(dict.fromkeys(table["method"])) for table in tables] == [["gap", "floor"], ["gem", "floor"]]
        assert any("--set schedule.epochs=1" in block.value for block in app.text)
    assert [frame.value["method"].tolist() for frame in app.dataframe if "entropy" in frame.value] == [["gap"]]


def test_a_classifier_shows_what_it_takes_for_what(database, measured):
    measured("gap", 70.0, 72.0)
    app = page("benchmark")
    assert "What is taken for what" in [header.value for header in app.header]
    assert any("adds up to 100 %" in caption.value for caption in app.caption)


def test_filters_narrow_the_table(database, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 81.0)
    app = page("leaderboard")
    next(box for box in app.sidebar.multiselect if box.label == "Method").select("gem").run()
    assert list(app.dataframe[0].value["method"]) == ["gem", "floor"]


def test_names_are_shown_as_text(database, measured, monkeypatch):
    measured("gap", 70.0, 72.0)
    from harness.analysis import source

    board = source.board(database)
    evil = "<script>alert(1)</script>"
    rows = [type(row)(**{**{f: getattr(row, f) for f in row.__dataclass_fields__}, "method": evil}) for row in board.rows]
    monkeypatch.setattr(source, "board", lambda *_, **__: type(board)(rows, board.notes))
    app = page("leaderboard")
    assert evil in set(app.dataframe[0].value["method"])
    assert not any(evil in block.value for block in app.markdown)


def test_runs_show_why_a_trial_failed(database, measured):
    measured("gap", 70.0, None)
    app = page("runs")
    assert "the loss is not a number in epoch 2" in set(app.dataframe[0].value["reason"])
    app.multiselect[0].select("failed").run()
    assert any("the loss is not a number" in block.value for block in app.text)


def test_benchmark_page_draws_samples_and_results(database, measured):
    measured("gap", 70.0, 72.0)
    app = page("benchmark")
    assert app.selectbox[0].value == "scenes-classification"
    assert "gap" in set(app.dataframe[0].value["method"])


def test_benchmark_page_shows_diagnostics(database, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 82.0)
    app = page("benchmark")
    table = next(frame.value for frame in app.dataframe if "entropy" in frame.value)
    assert list(table["method"]) == ["gem", "gap"] and table["entropy"][0] == "0.810 ± 0.127"
    assert next(box for box in app.selectbox if box.label == "Measure").value == "entropy"


def test_a_trial_shows_what_its_attention_did(database, measured, tmp_path):
    import cv2
    import numpy as np

    (digest,) = measured("gap", 70.0)
    folder = tmp_path / "results" / "trials" / digest / "artifacts"
    folder.mkdir(parents=True)
    for name in ("attention-0.jpg", "trajectories.png", "errors.png"):
        cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), np.uint8))
    (folder / "first_epoch.csv").write_text("iteration,layer,qk_distance,purity\n1,neck,3,1\n2,neck,2,0.5\n")
    app = page("runs")
    table = app.dataframe[1].value
    assert list(table["layer"]) == ["mean over layers", "neck", "neck"] and list(table["head"]) == ["", "", "1"]
    captions = [image.proto.imgs[0].caption for image in app.get("image")]
    assert captions == ["attention-0.jpg", "errors.png", "trajectories.png"]
    assert len(app.get("vega_lite_chart")) == 2


def test_in_a_browser(database, measured, tmp_path):
    spec = importlib.util.spec_from_file_location("screenshot", paths.home() / "docs" / "screenshot.py")
    screenshot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(screenshot)
    if screenshot.chromium() is None:
        pytest.skip("no Chromium on this machine")
    measured("gap", 70.0, 72.0)
    with screenshot.served(database) as address, screenshot.browser_page() as tab:
        errors = []
        tab.on("pageerror", lambda error: errors.append(error))
        tab.goto(address)
        tab.get_by_role("heading", name="Leaderboard", level=1).wait_for(timeout=60_000)
        tab.get_by_text("scenes-classification (version 2)").wait_for(timeout=30_000)
        tab.get_by_role("link", name="Runs").click()
        tab.get_by_role("heading", name="Runs", level=1).wait_for(timeout=30_000)
        assert not errors
        assert address.startswith("http://127.0.0.1")
