"""Text of others shows what it holds and does nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.tables import csv_table
from harness.texts import few, one_line, visible


@given(st.text())
def test_no_character_is_left_that_a_terminal_obeys(text):
    shown = visible(text)
    assert not {letter for letter in shown if ord(letter) < 32 or 127 <= ord(letter) < 160 or letter in "\u2028\u2029\u202e\u200b"}
    assert visible(shown) == shown and "\n" not in one_line(text)
    if text.isprintable():
        assert shown == text


def test_what_it_looks_like():
    assert visible("a\x1b[31m\nü\u202e", "\n") == "a\\x1b[31m\nü\\u202e"
    assert one_line("a\n  b\x07") == "a b\\x07" and one_line("a\xa0b") == "a b"


def test_a_long_list_is_its_beginning_and_a_number():
    assert few([]) == "" and few("ab") == "a, b" and few(iter(range(5))) == "0, 1, 2, 3, 4"
    assert few(range(6)) == "0, 1, 2, 3, 4 and 1 more" and few({"a": 1, "b": 2}, 1) == "a and 1 more"


def test_a_spreadsheet_takes_no_cell_for_a_formula():
    cells = ["=cmd|' /C calc'!A0", "+1+1", "-x", "@SUM(A1)", "\t=1"]
    assert csv_table(cells, [["-1.5", "+2", -3.0, "-", "a=b"]]).splitlines()[-1] == "-1.5,+2,-3.0,-,a=b"
    assert csv_table(["a"], [[cell] for cell in cells]).splitlines()[1:] == [f"'{cell}" for cell in cells]
