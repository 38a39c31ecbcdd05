"""Tables of text, character by character."""

from __future__ import annotations

import pytest

from harness.analysis.tables import aligned, commented, latex_table, markdown_table

HEADER, BODY = ["method", "top1", "n"], [["gap", "71.0 ± 12.7", "2"], ["a_b", "-", "10"]]


def test_text_is_aligned_to_the_left_and_numbers_to_the_right():
    assert aligned(HEADER, BODY) == ["method         top1   n", "gap     71.0 ± 12.7   2", "a_b               -  10"]
    assert aligned(["", "map"], [["1", "x"], ["2", ""]]) == ["   map", "1  x", "2"], "no spaces at the end"


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("position_median_m", "position_", "median_m"), ("orientation_median_deg", "orientation_", "median_deg"),
        ("a_metric_that_is_long", "a_metric_", "that_is_long"), ("a_b_c_d_e_f_gh_i", "a_b_c_d_", "e_f_gh_i"),
        ("thirteen_char", "thirteen_", "char"),
    ],
)  # fmt: skip
def test_a_long_heading_is_parted_at_the_underscore_nearest_to_its_middle(name, first, second):
    lines = aligned(["n", name], [["2", "1.0"]])
    width = max(len(first), len(second))
    assert lines == [f"   {first:>{width}}", f"n  {second:>{width}}", f"2  {'1.0':>{width}}"]
    assert aligned(["n", name], [["2", "1.0"]], fold=False)[0] == f"n  {name}"


@pytest.mark.parametrize("name", ["top_1", "twelve_chars", "nounderscoreatall"])
def test_a_heading_that_is_short_or_has_no_underscore_takes_one_line(name):
    assert aligned([name], [["1"]])[0] == name and len(aligned([name], [["1"]])) == 2


def test_markdown():
    assert markdown_table(HEADER, BODY).splitlines() == [
        "| method | top1 | n |", "| --- | --- | --- |", "| gap | 71.0 ± 12.7 | 2 |", "| a_b | - | 10 |",
    ]  # fmt: skip
    assert markdown_table(["reason"], [["<class 'A'> | \\x & <script>"]]).splitlines()[-1] == (
        "| &lt;class 'A'&gt; \\| \\\\x &amp; &lt;script&gt; |"
    )


def test_latex():
    assert commented("scenes\n\\input", latex_table(HEADER, BODY)).splitlines() == [
        "% scenes \\input", r"\begin{tabular}{lrr}", r"\toprule", r"method & top1 & n \\", r"\midrule",
        r"gap & 71.0 $\pm$ 12.7 & 2 \\", r"a\_b & - & 10 \\", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
