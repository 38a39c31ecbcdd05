"""What all pages share: which database is looked at, what the address says, and text that stays text."""

from __future__ import annotations

import pytest

from dashboard.pages import PAGES


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn(page, measured, name):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, None)
    assert page(name).title[0].value == PAGES[name]


def test_an_absent_database_is_named_and_filled_where_it_was_looked_for(page, database):
    """A mistyped ``--db``: not "no results", and no advice that fills another database."""
    app = page("overview")
    assert [block.value for block in app.error] == ["There is no such database."]
    assert database in app.text[0].value
    assert [block.value for block in app.code if "harness" in block.value and "run" in block.value] == [
        f"harness run -s quick --db '{database}'"
    ]


def test_an_empty_database_says_how_to_fill_it(page, database):
    from harness.store import open_store

    open_store(database)
    app = page("runs")
    assert not app.error and not app.title
    assert any(block.value == f"harness run -s quick --db '{database}'" for block in app.code)


def test_an_unreadable_database_is_an_explanation(page, database, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "harness.db").write_bytes(b"this is no database" * 100)
    app = page("claims")
    assert app.error and any("harness.db" in block.value and "not a readable" in block.value for block in app.text)


def test_a_password_is_not_shown(page, monkeypatch):
    monkeypatch.setenv("HARNESS_DB", "postgresql+psycopg://someone:s3cret@localhost:1/none")
    app = page("overview")
    assert app.error
    assert not [block.value for some in (app.text, app.code, app.error, app.info) for block in some if "s3cret" in block.value]
