"""Charts: told apart by everyone, and no longer than what a metric can be."""

from __future__ import annotations

import pytest

from dashboard import charts, text


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", ["#ffffff", "#171614"])
@pytest.mark.parametrize("colour", [*charts.COLOURS, charts.GREY])
def test_every_colour_is_seen_in_both_themes(colour, ground):
    lighter, darker = sorted((luminance(colour), luminance(ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


def test_no_two_series_share_colour_and_shape():
    assert len({*charts.COLOURS, charts.GREY}) == len(charts.COLOURS) + 1
    assert len({*charts.SHAPES}) == len(charts.SHAPES) == len(charts.COLOURS)


@pytest.mark.parametrize(
    ("unit", "values", "interval"), [("%", (99.0, 60.0), (-240.0, 320.0)), ("px", (3.0, 1.0), (-5.0, 9.0)), ("", (0.1, 0.4), (-0.2, 0.7))]
)
def test_axes_and_intervals_end_where_the_metric_does(unit, values, interval):
    lines = [charts.Line("gap", values, sum(values) / 2, interval)]
    found = charts.dots_and_intervals(lines, unit, "metric").to_dict()
    (row,) = next(rows for rows in found["datasets"].values() if "low" in rows[0])
    low, high = found["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert row["low"] == 0 and low >= 0
    assert row["high"] == min(interval[1], 100.0 if unit == "%" else interval[1]) <= high <= (100 if unit == "%" else 10)


def test_forty_methods_share_no_colour_but_grey():
    names = [f"method-{number}" for number in range(40)]
    assert charts.coloured(names, ["method-39"]) == ["method-39"]
    assert len(charts.coloured(names)) == len(charts.COLOURS)
    assert {*charts.labelled(names, ["method-39"])} == {"method-39", charts.REST}


def test_no_tooltip_loads_what_a_store_names():
    with pytest.raises(ValueError, match="image"):
        charts.tips({"name": "image"})


@pytest.mark.parametrize(
    "name", ["![x](http://a.b/c.png)", "*a* _b_ `c` $x$ <b>", ":red[x] :material/home: :tada:", "www.a.b a@b.c", "x\n# y"]
)
def test_escaped_text_has_no_letter_that_markdown_reads(name):
    import re

    shown = text.escaped(name)
    assert re.sub(r"\\(.)|\u2060", r"\1", shown) == text.visible(name)
    assert not re.search(r"(?<!\\)[!-/:-@\[-`{-~]", shown.replace("\\\\", "")) or "\\" in shown


def test_what_turns_the_direction_of_writing_is_written_out():
    assert text.visible("a\u202eb") == "a\\u202eb" and text.visible("אבג") == "אבג"
