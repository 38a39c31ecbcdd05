"""Names of lists find the files that are meant."""

from __future__ import annotations

import pytest

from harness.benchmarks.listed import Index, tails

KNOWN = ["cam1/000.png", "cam2/000.png", "cam1/a b.png", "top.jpg", "x.y.jpg", "deep/cam1/000.png"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("cam1/000.png", ["cam1/000.png"]),
        ("cam2/000", ["cam2/000.png"]),
        ("/home/me/img/cam2/000.png", ["cam2/000.png"]),
        ("C:\\data\\cam2\\000.png", ["cam2/000.png"]),
        ("./top.jpg 1", ["top.jpg"]),
        ("elsewhere/top", ["top.jpg"]),
        ("x.y", ["x.y.jpg"]),
        ("a b.png", ["cam1/a b.png"]),
        ("cam1/a b -1", []),  # a name with blanks and a column: neither the whole line nor its first word
        ("000.png", ["cam1/000.png", "cam2/000.png", "deep/cam1/000.png"]),
        ("cam9/000.png", []),
        ("nothing.png", []),
        ("deep/cam1/000", ["deep/cam1/000.png"]),
    ],
)
def test_a_line_finds_what_it_means(line, found):
    assert Index(KNOWN).find(line) == found


def test_tails_have_no_dots_and_no_empty_parts():
    assert tails("..\\a//./b.png") == ["a/b.png", "b.png"]
