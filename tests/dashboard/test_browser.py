"""The dashboard in a real browser: addresses and Back, and a store that means harm."""

from __future__ import annotations

import contextlib
import importlib.util
import sqlite3

import pytest

from dashboard.pages import PAGES
from harness import paths

spec = importlib.util.spec_from_file_location("screenshot", paths.home() / "docs" / "screenshot.py")
screenshot = importlib.util.module_from_spec(spec)
spec.loader.exec_module(screenshot)
pytestmark = pytest.mark.skipif(screenshot.chromium() is None, reason="no Chromium on this machine")

HOSTILE = {
    "family": "![x](http://203.0.113.7/family.png)",
    "tier": "<img src=http://203.0.113.7/tier.png onerror=alert(1)>",
    "slot": "$\\int_0^1$ :material/home: :red[slot]",
    "reason": "<script>document.title='taken over'</script> [a](javascript:alert(1)) ![r](http://203.0.113.7/reason.png)",
    "notes": '["<iframe src=http://203.0.113.7/notes></iframe>"]',
    "labels": '{"map": "![m](http://203.0.113.7/map.png)", "attention": "<b>collapsed</b>"}',
    "log": "/etc/passwd",
    "work_dir": "/etc",
}
METHODS = ("<script>alert('gap')</script>", "![gem](http://203.0.113.7/gem.png)", "\u05d0\u05d1\u05d2-\u202egpj.exe", "long-" * 24)

REVERSED = "() => /[\u202a-\u202e\u2066-\u2069]/.test(document.querySelector('[data-testid=stMain]').innerText)"
"""Whether a name may turn round the sentence it stands in."""


@pytest.fixture
def hostile(database, measured, tmp_path):
    """Every text of a store that comes from elsewhere says what a browser must not do."""
    for method, top1 in zip(("gap", "gem", "max-pool", "lse"), (70.0, 80.0, 60.0, 50.0), strict=True):
        measured(method, top1, top1 + 2, None)
    with contextlib.closing(sqlite3.connect(tmp_path / "results" / "harness.db")) as connection:
        for name, told in HOSTILE.items():
            connection.execute(f"UPDATE trials SET {name} = ?", (told,))
        for known, method in zip(("gap", "gem", "max-pool", "lse"), METHODS, strict=True):
            connection.execute("UPDATE trials SET method = ? WHERE method = ?", (method, known))
        connection.execute("UPDATE names SET name = 'entropy/![layer](http://203.0.113.7/layer.png).[0]' WHERE name = 'entropy/neck'")
        connection.execute("UPDATE specs SET title = ?", ("![t](http://203.0.113.7/title.png)",))
        connection.execute("UPDATE environments SET content = ?", ('{"device": "![d](http://203.0.113.7/device.png)", "numerics": 1}',))
        connection.commit()
    return database


def test_a_hostile_store_is_text_on_every_page(hostile):
    with screenshot.served(hostile) as address, screenshot.browser_page() as tab:
        foreign, dialogs, errors = [], [], []
        tab.on("request", lambda request: None if request.url.startswith((address, "data:", "blob:")) else foreign.append(request.url))
        tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        tab.on("pageerror", lambda error: errors.append(str(error)))
        views = [*PAGES, f"trial?trial={_digest(hostile, METHODS[2])}", f"method?method={METHODS[2]}", f"runs?method={METHODS[2]}"]
        views += [f"compare?method={METHODS[0]}&method={some}" for some in METHODS[1:3]]
        for view in views:
            tab.goto(f"{address}/{'' if view == 'overview' else view}")
            screenshot.at_rest(tab)
            assert tab.title() in ("Attention harness", *PAGES.values()), (view, tab.title())
            assert not tab.locator("[data-testid=stException]").count(), (view, tab.locator("[data-testid=stException]").all_inner_texts())
            assert not tab.locator("img[src*='203.0.113.7'], iframe[src*='203'], a[href^='javascript']").count(), view
            for heading in tab.get_by_role("tab").all():
                heading.click()
                screenshot.at_rest(tab)
                assert not tab.locator("[data-testid=stException]").count(), (view, heading.inner_text())
                assert not tab.evaluate(REVERSED), (view, heading.inner_text())
            assert not tab.evaluate(REVERSED), view
            assert "root:x:0" not in tab.locator("[data-testid=stMain]").inner_text(), view
        assert not [url for url in foreign if not url.startswith("ws://127.0.0.1")]
        assert not dialogs and not errors


def _digest(url: str, method: str) -> str:
    from harness.analysis import source

    return next(row.digest for row in source.trials(url, states=["done"], methods=[method]))


def test_addresses_are_kept_and_back_leads_back(database, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, None)
    with screenshot.served(database) as address, screenshot.browser_page() as tab:
        tab.goto(f"{address}/benchmark?benchmark=scenes-classification")
        screenshot.at_rest(tab)
        tab.get_by_role("link", name="Runs", exact=True).click()
        tab.get_by_role("heading", name="Runs", level=1).wait_for()
        screenshot.at_rest(tab)
        box = tab.locator("[data-testid=stDataFrame]").last.bounding_box()
        tab.mouse.click(box["x"] + 100, box["y"] + 45, delay=150)
        tab.get_by_role("heading", name="Trial", level=1).wait_for()
        there = tab.url
        assert "trial?trial=" in there
        tab.reload()
        screenshot.at_rest(tab)
        assert tab.url == there and tab.get_by_role("heading", level=1).inner_text() == "Trial"
        for _ in range(4):  # Streamlit's way to another page is two steps
            tab.go_back()
            screenshot.at_rest(tab)
            if "/benchmark?benchmark=scenes-classification" in tab.url:
                break
        tab.get_by_role("heading", name="Benchmark", level=1).wait_for()
        assert not tab.get_by_text("Deploy").count()


def test_pages_of_a_long_table_and_what_is_chosen_are_steps_back(database, measured):
    """Each stands in the address, is kept by a reload, and is taken back by Back."""
    measured("gap", *[70.0] * 60)
    with screenshot.served(database) as address, screenshot.browser_page() as tab:
        tab.goto(f"{address}/runs")
        screenshot.at_rest(tab)
        tab.get_by_role("button", name="Page 2", exact=True).click()
        tab.get_by_text("51 to 60 of 60").wait_for()
        assert "page=2" in tab.url
        tab.get_by_role("radio", name="failed").click()
        tab.get_by_text("No trial is like that.").wait_for()
        there = tab.url
        tab.reload()
        tab.get_by_text("No trial is like that.").wait_for()
        assert tab.url == there and "state=failed" in there
        tab.go_back()
        tab.get_by_text("51 to 60 of 60").wait_for()
        tab.go_back()
        tab.get_by_text("1 to 50 of 60").wait_for()
