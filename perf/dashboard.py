"""What the dashboard costs in a real browser: python perf/dashboard.py sqlite:////tmp/large/harness.db

Each page is opened by its link in a fresh browser after the server has started, and used as its table of clicks says. Printed are, for
the first view and every click, the seconds of the server's processor until the page is at rest; at last the most memory the server
held, and how many pixels high each page is. An idle machine is needed: what else runs slows down even what is counted in seconds of
the processor. `perf/large_store.py` makes the store; `docs/screenshot.py` says which browser is needed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import paths

# this file is called as the package is that it measures
sys.path[:1] = [str(paths.home()), str(paths.home() / "docs")]
from screenshot import at_rest, browser_page, server  # noqa: E402

from dashboard.pages import PAGES  # noqa: E402

FIRST, CLICK, MEMORY, HEIGHT = 2.0, 0.7, 350, 3000
"""At most: seconds of the first view and of a click, MB, and pixels."""

CELLS = (("a name in a table", 70), ("a number in it", 300))
"""What is pressed of the first table of a page, and how many pixels it is from its left end."""

_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """The processor and the memory of a process."""

    def __init__(self, number: int):
        self._folder = Path(f"/proc/{number}")

    def seconds(self) -> float:
        """Of the processor, so far."""
        fields = (self._folder / "stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def most_memory(self) -> float:
        """MB, at any time."""
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def spent(process: Process, tab: Any, act: Callable[[], object]) -> float:
    """Seconds of the server's processor until the page is at rest again."""
    before = process.seconds()
    act()
    while True:  # a page may look finished before its server is
        at_rest(tab)
        now = process.seconds()
        time.sleep(0.7)
        if process.seconds() - now < 0.02:
            return process.seconds() - before


def _cell(tab: Any, across: int) -> Callable[[], None]:
    """Press a cell of the first table, so many pixels from its left end."""
    table = tab.locator("[data-testid=stDataFrame]:visible").first
    table.scroll_into_view_if_needed()
    tab.wait_for_timeout(500)
    box = table.bounding_box()
    place = box["x"] + across, box["y"] + min(75, box["height"] - 17)  # below headings of one line or of two
    tab.mouse.move(*place)
    tab.wait_for_timeout(300)
    return lambda: tab.mouse.click(*place, delay=150)


def _pick(tab: Any, number: int) -> None:
    """The second option of a choice."""
    tab.get_by_role("combobox").nth(number).click()
    time.sleep(0.5)
    options = tab.get_by_role("option")
    if options.count():
        options.nth(min(1, options.count() - 1)).click()
    tab.keyboard.press("Escape")


def main() -> None:
    """Open, click, print; ends with 1 where a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("db")
    parser.add_argument("--page", choices=PAGES, action="append", help="some pages only")
    options = parser.parse_args()
    broken = 0

    def told(what: str, value: float, limit: float, unit: str) -> None:
        nonlocal broken
        broken += value > limit
        print(f"{what:52} {value:8.2f} {unit}{'   more than ' + str(limit) if value > limit else ''}", flush=True)

    with server(options.db) as (address, number), browser_page() as tab:
        process = Process(number)
        time.sleep(2)
        print(f"{'start, before a browser asks':52} {process.seconds():8.2f} s")
        told("overview: first view", spent(process, tab, lambda: tab.goto(address)), FIRST, "s")
        for page in options.page or PAGES:
            what = PAGES[page]
            told(
                f"{page}: by the menu",
                spent(process, tab, lambda what=what: tab.get_by_role("link", name=what, exact=True).click()),
                CLICK,
                "s",
            )
            told(f"{page}: height", tab.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"), HEIGHT, "px")
            for number in range(min(tab.get_by_role("combobox").count(), 4)):
                told(f"{page}: choice {number + 1}", spent(process, tab, lambda number=number: _pick(tab, number)), CLICK, "s")
            for number in range(1, tab.get_by_role("tab").count()):
                if number >= tab.get_by_role("tab").count():  # a choice left fewer
                    break
                heading = tab.get_by_role("tab").nth(number)
                told(f"{page}: tab {heading.inner_text()}", spent(process, tab, heading.click), CLICK, "s")
                told(f"{page}: height", tab.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"), HEIGHT, "px")
            for what, across in CELLS:
                if tab.locator("[data-testid=stDataFrame]:visible").count():
                    before = tab.url
                    told(f"{page}: {what}", spent(process, tab, _cell(tab, across)), CLICK, "s")
                    if tab.url == before:
                        sys.exit(f"{page}: {what} leads nowhere, so that nothing was measured")
                    tab.go_back()
                    spent(process, tab, lambda: None)
        told("memory", process.most_memory(), MEMORY, "MB")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
