"""The overview and a benchmark's page in a real Chromium: a column sorts as numbers, a cell leads on, and Back leads back."""

from __future__ import annotations

import importlib.util

import pytest

from harness import paths


@pytest.fixture(scope="module")
def screenshot():
    spec = importlib.util.spec_from_file_location("screenshot", paths.home() / "docs" / "screenshot.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.chromium() is None:
        pytest.skip("no Chromium on this machine")
    return module


METHODS = {"gap": (100.0, 100.0), "gem": (16.67, 16.69), "lse": (9.5, 9.7), "simpool": (None, None)}


def press(tab, x: int, y: int) -> None:
    """The mouse, at a place of the first table, which sees no press that is shorter than a finger's."""
    box = tab.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
    tab.mouse.click(box["x"] + x, box["y"] + y, delay=150)


def stand(tab, *names: str) -> None:
    """Wait until the first column says these names, from what a screen reader is told."""
    rows = "[...document.querySelectorAll('[data-testid=stDataFrame] canvas tbody tr')].map(row => row.children[0].textContent).join()"
    tab.wait_for_function(f"names => {rows} === names", arg=",".join(names), timeout=60_000)
    tab.wait_for_timeout(500)


def test_sorting_clicking_and_going_back(database, measured, screenshot):
    for name, values in METHODS.items():
        measured(name, *values)
    with screenshot.served(database) as address, screenshot.browser_page() as tab:
        foreign = []
        tab.on("request", lambda request: None if request.url.startswith((address, "data:", "blob:")) else foreign.append(request.url))
        tab.goto(f"{address}/?slot=pooling")
        screenshot.at_rest(tab)
        stand(tab, "gap", "gem", "lse", "simpool")
        press(tab, 150, 45)  # the heading of the scores, below that of the metric
        stand(tab, "simpool", "lse", "gem", "gap")  # 9.6 before 16.68 before 100, and what failed at the end
        press(tab, 150, 75)
        tab.wait_for_url("**/runs?*", timeout=60_000)
        assert "method=simpool" in tab.url and "benchmark=scenes-classification" in tab.url
        tab.go_back()
        tab.get_by_role("heading", name="Overview", level=1).wait_for(timeout=60_000)
        assert "slot=pooling" in tab.url
        tab.set_viewport_size({"width": 400, "height": 800})
        stand(tab, "gap", "gem", "lse", "simpool")
        press(tab, 120, 75)  # a phone shows the method and, beside it, the score
        tab.wait_for_url("**/benchmark?*", timeout=60_000)
        tab.get_by_role("tab", name="Cost").click()
        tab.wait_for_url("**tab=Cost**", timeout=60_000)
        tab.reload()
        screenshot.at_rest(tab)
        assert tab.get_by_role("tab", name="Cost").get_attribute("aria-selected") == "true"
        assert not foreign
