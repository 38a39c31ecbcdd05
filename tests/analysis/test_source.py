"""What readers ask of a database is of one moment, and read once."""

from __future__ import annotations

from harness.analysis import source


def test_what_is_read_in_a_block_is_of_one_moment(measured, tmp_path):
    """Functions that are called within it too, whatever is written meanwhile; afterwards what was written is seen."""
    url = f"sqlite:///{tmp_path}/results/harness.db"
    measured("gap", 70.0, 72.0)
    with source.reading(url):
        before = source.stamp(url)
        measured("gem", 80.0, 82.0)
        assert {row.method for row in source.board(url).rows} == {"gap"}
        assert source.methods(url) == ["gap"] and source.stamp(url) == before
    assert {row.method for row in source.board(url).rows} == {"gap", "gem"} and source.stamp(url) != before


def test_claims_are_judged_by_the_numbers_of_the_leaderboard(measured, tmp_path):
    """They are read together with the diagnostics, and are those that are shown."""
    url = f"sqlite:///{tmp_path}/results/harness.db"
    measured("simpool", 70.0, 72.0, 71.0)
    measured("gap", 60.0, 61.0, 62.0)
    tests = [test for row in source.claims(url) if row.claim.id == "simpool-over-gap" for test in row.tests]
    rows = {row.method: row for row in source.board(url, metrics="primary").rows}
    assert [(test.benchmark, test.a, test.b) for test in tests] == [("scenes-classification", rows["simpool"].mean, rows["gap"].mean)]
