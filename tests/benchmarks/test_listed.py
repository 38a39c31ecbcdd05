"""Names of lists find the files that are meant."""

from __future__ import annotations

import pytest

from harness.benchmarks.base import Listing
from harness.benchmarks.listed import Index, bare, lines_in, named, tails

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
        ("top (2)", []),  # a copy that is lost is not the original
        ("top (2).jpg", []),
        ("top.jpg (2)", ["top.jpg"]),
        ("top -1", ["top.jpg"]),
    ],
)
def test_a_line_finds_what_it_means(line, found):
    assert Index(KNOWN).find(line) == found


def test_a_name_in_another_unicode_form_is_found_and_its_own_form_first():
    nfc, nfd = "\u00e9.png", "e\u0301.png"
    assert Index([f"a/{nfd}"]).find(nfc) == [f"a/{nfd}"] and Index([nfc]).find("e\u0301") == [nfc]
    assert [Index([nfc, nfd]).find(name) for name in (nfc, nfd, "x/e\u0301")] == [[nfc], [nfd], [nfd]]


def test_tails_have_no_dots_and_no_empty_parts():
    assert tails("..\\a//./b.png") == ["a/b.png", "b.png"]


@pytest.mark.parametrize(
    ("lines", "there", "names"),
    [
        (["a 1", "b -1"], "ab", ["a", "b"]),
        (["a.png x", "b"], ["a.png"], ["a.png", "b"]),
        (["a.png\tx", "b"], "", ["a.png", "b"]),
        (["a x/a", "b x/b"], "ab", ["a", "b"]),  # every line has as many columns
        (["a x/a", "b"], "ab", ["a x/a", "b"]),
        (["a x"], "a", ["a x"]),
        (["photo (1)", "photo (2)"], ["photo"], ["photo (1)", "photo (2)"]),
        (["photo 1", "photo 2"], ["photo", "photo 1"], ["photo 1", "photo 2"]),  # names hold blanks here
        (["photo 1", "photo\t2"], ["photo", "photo 1"], ["photo 1", "photo"]),
    ],
)
def test_a_first_column_is_a_name_only_where_the_rest_are_columns(lines, there, names):
    assert named(lines, lambda line: line in there) == names


def test_only_a_suffix_of_files_is_taken_off():
    assert [bare(name) for name in ("a/frame.1", "frame.1.JPG", "x.y", "x.xml")] == ["a/frame.1", "frame.1", "x.y", "x"]


def test_a_comment_that_names_a_file_is_told(tmp_path):
    (tmp_path / "list.txt").write_text(f"# name and class\n#7.png 0\n#8 1\n9.png 1\n#{'x' * 300}\n")
    listing = Listing(root=tmp_path)
    for name in ("#7.png", "9.png"):
        (tmp_path / name).touch()
    assert lines_in(tmp_path, "list.txt", listing, lambda line: (tmp_path / line).is_file()) == ["9.png 1"]
    (problem,) = listing.problems
    assert "1 of them name" in problem.what and "#7.png" in problem.what and not problem.fatal
