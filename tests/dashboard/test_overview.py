"""The overview."""

from __future__ import annotations

import math
import re

import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df


@pytest.fixture
def shown(page, measured):
    """A method that leads on 2 of 3 seeds, one that cannot be told apart from it, one that is worse and one all of whose trials failed."""
    measured("gap", 90.0, None, 91.0)
    measured("gem", 89.5, 90.0, 91.0)
    measured("se", 10.0, 11.0, 12.0)
    measured("simpool", None, None, None)
    return page("overview")


def table(app):
    frame = app.dataframe[0].value
    frame.columns = [name[-1] if isinstance(name, tuple) else name for name in frame.columns]
    return frame.set_index("method")


def texts(app) -> tuple[dict[str, str], set[str]]:
    """Method -> what its cell on the benchmark says, as the browser shows it; and the methods whose cell is bold."""
    styled, names = app.dataframe[0].proto.arrow_data.styler, [*table(app).reset_index()]
    display = convert_arrow_bytes_to_pandas_df(styled.display_values)
    place = names.index("scenes-classification")
    said = dict(zip(display.iloc[:, 0], display.iloc[:, place], strict=True))
    ((cells, rule),) = re.findall(r"([^{}]*)\{([^}]*)\}", styled.styles) or [("", "bold")]
    assert "bold" in rule
    return said, {[*said][int(row)] for row, column in re.findall(r"row(\d+)_col(\d+)", cells) if int(column) == place}


def test_who_failed_and_what_is_missing_is_in_the_grid(shown):
    cells, bold = texts(shown)
    assert cells == {"gap": "90.5  2/3", "gem": "90.2", "se": "11.0  !", "simpool": "failed  0/3"}
    assert bold == {"gap", "gem"}, "the tie group of the best, both narrow"
    assert shown.dataframe[0].value.columns[1] == ("top1 [%] ↑", "scenes-classification"), "unit and direction stand above the name"
    assert any("4 trials failed" in block.value for block in shown.text)


def test_numbers_are_numbers_and_failures_stand_at_an_end(shown):
    means = table(shown)["scenes-classification"]
    assert means.dtype == float and means["gap"] == 90.5 and means["simpool"] == -math.inf


def test_ranks_stand_beside_their_slot_and_methods_without_one_behind(page, measured):
    for on in ("scenes-classification", "digits"):
        for place, method in enumerate(("gap", "gem")):
            measured(method, 70.0 + 10 * place, 72.0 + 10 * place, on=on)
    measured("se", 60.0, 61.0)
    frame = table(page("overview"))
    assert [*frame.columns][:2] == ["slot", "mean rank"] and [*frame.columns].count("slot") == 1
    assert frame["mean rank"].to_dict() == {"gem": 1.0, "gap": 2.0, "se": math.inf}
    assert next(iter(table(page("overview", slot="pooling")).columns)) == "mean rank", "of one slot nothing needs to be said"


def test_filters_narrow_the_grid_and_stand_in_the_address(page, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0)
    app = page("overview")
    next(box for box in app.multiselect if box.label == "Method").select("gem").run()
    assert [*table(app).index] == ["gem"] and app.query_params["method"] == "gem"
    assert [*table(page("overview", q="GAP pool")).index] == ["gap"]
    assert [*table(page("overview", seeds="2")).index] == ["gap"]
    assert any("no 'nothing'" in block.value for block in page("overview", family="nothing").text)
    assert page("overview", q="nothing is called so").info[0].value == "Nothing is left by these filters."


def test_other_settings_are_columns_of_their_own(page, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 90.0, 92.0, sets=("schedule.epochs=1",))
    assert "gem" not in table(page("overview")).index
    frame = table(page("overview", settings="1"))
    assert frame["scenes-classification v3"].tolist()[0] == 71.0 and math.isnan(frame.loc["gem", "scenes-classification v3"])
    assert frame.loc["gem", "scenes-classification v3 · --set schedule.epochs=1"] == 91.0


def test_a_benchmark_on_which_all_failed_has_a_column(page, measured):
    measured("gap", None, None)
    cells, _ = texts(page("overview"))
    assert cells == {"gap": "failed  0/2"}
