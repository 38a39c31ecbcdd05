"""The overview."""

from __future__ import annotations


def test_it_shows_methods_and_intervals(page, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 10.0, 11.0)
    app = page("overview")
    table = app.dataframe[0].value.set_index("method")
    assert list(table.index) == ["gap", "gem"]
    assert table.loc["gap", ["mean", "rank", "tied"]].tolist() == [71.0, "1", "a"]
    assert 58.3 < table.loc["gap", "from"] < 71 < table.loc["gap", "to"] < 83.7, "narrower than Student's"
    assert any("2 seeds tell the two methods apart" in block.value for block in app.text)
    assert table.loc["gem", "below floor"] == "below floor"


def test_what_may_not_be_compared_stands_in_tables_of_its_own(page, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 90.0, 92.0, sets=("schedule.epochs=1",))
    for name in ("overview", "benchmark"):
        app = page(name)
        tables = [frame.value for frame in app.dataframe if "rank" in frame.value]
        assert [list(table["method"]) for table in tables] == [["gap"], ["gem"]]
        assert any("--set schedule.epochs=1" in block.value for block in app.text)


def test_filters_narrow_the_table_and_stand_in_the_address(page, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 81.0)
    app = page("overview")
    next(box for box in app.multiselect if box.label == "Method").select("gem").run()
    assert list(app.dataframe[0].value["method"]) == ["gem"] and app.query_params["method"] == "gem"
    assert list(page("overview", method="gap").dataframe[0].value["method"]) == ["gap"]
