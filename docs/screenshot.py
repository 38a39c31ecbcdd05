"""Take the README's picture of the dashboard: python docs/screenshot.py --page 'benchmark?benchmark=figures-keypoint'

With `--all FOLDER`, pictures of every page and tab instead, light and dark, on a desk and on a phone, to be looked at.
Needs a Chromium (Debian: apt-get install chromium) and the `test` extra (playwright).
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Path of an installed Chromium or Chrome."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


@contextmanager
def server(url: str) -> Iterator[tuple[str, int]]:
    """Run ``harness dashboard`` on a free port; yields its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "harness", "dashboard", "--port", str(port), "--db", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ), start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as client:
                client.settimeout(1)
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=20)


@contextmanager
def served(url: str) -> Iterator[str]:
    """The same; yields the address."""
    with server(url) as (address, _):
        yield address


@contextmanager
def browser_page(width: int = 1280, height: int = 1000, theme: str = "light") -> Iterator:
    """A page of a headless Chromium whose user prefers the ``light`` or the ``dark`` theme."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium(),
            headless=True,
            args=CHROMIUM_FLAGS,
            viewport={"width": width, "height": height},
            color_scheme=theme,
        )
        try:
            yield context.new_page()
        finally:
            context.close()


def at_rest(page, timeout: int = 60_000) -> None:
    """Wait until a page of the dashboard is drawn and its server does nothing more for it."""
    page.get_by_role("heading", level=1).wait_for(timeout=timeout)
    page.wait_for_timeout(300)  # a click is sent after a moment
    for busy in ("stStatusWidget", "stSkeleton"):
        page.wait_for_function(f"!document.querySelector('[data-testid={busy}]')", timeout=timeout)


WIDTHS, THEMES = (1280, 400), ("light", "dark")

TALLEST = 6000
"""Pixels of a picture."""


def views(url: str) -> dict[str, str]:
    """Name of a picture -> address of a view that has something to show in this database, every tab of every page among them."""
    from harness.analysis import source

    board = source.board(url, metrics="primary")
    rows = [row for some in board.parted()[0] for row in some if row.primary]
    if not rows:
        return {"overview": "", "runs": "runs"}
    often = Counter(row.method for row in rows)
    most = Counter(row.benchmark for row in rows if often[row.method] == max(often.values())).most_common(1)[0][0]
    best = sorted((row for row in rows if row.benchmark == most), key=lambda row: -often[row.method])
    first, second = best[0], best[min(1, len(best) - 1)]
    two, trial = f"method={first.method}&method={second.method}", f"trial?trial={first.digests[0]}"
    camera = next((row for row in rows if row.family == "camera-localization"), None)
    found = {"overview": "", "overview-found": f"?q={most.partition('-')[0]}&slot={first.slot}"}
    found |= {f"benchmark-{tab}": f"benchmark?benchmark={most}&tab={tab}" for tab in ("Parts", "All metrics", "Cost", "Attention")}
    found |= {f"benchmark-{tab}": f"benchmark?benchmark={most}&tab={tab}" for tab in ("Diagnostics", "Resolution", "Samples")}
    found |= {f"method-{tab}": f"method?method={first.method}&tab={tab}" for tab in ("What it is", "Published", "Claims", "Diagnostics")}
    found |= {"compare": "compare"}
    found |= {f"compare-{tab}": f"compare?{two}&tab={tab}" for tab in ("Differences", "Over benchmarks", "Samples")}
    found |= {f"attention-{tab}": f"attention?benchmark={most}&tab={tab}" for tab in ("Maps", "Measures", "First epoch")}
    found |= {"attention-Paths": f"attention?benchmark={camera.benchmark}&tab=Paths"} if camera else {}
    found |= {"trial-none": "trial"}
    tabs = ("Numbers", "Learning", "Maps and predictions", "Diagnostics", "Config", "Provenance", "Log")
    found |= {f"trial-{tab}": f"{trial}&tab={tab}&other={second.digests[0]}" for tab in tabs}
    found |= {"runs": "runs", "claims": "claims", "regressions": "regressions"}
    if judged := next((row for row in source.claims(url) if row.tests), None):
        found["claims-one"] = f"claims?claim={judged.claim.id}"
    found["regressions-History"] = f"regressions?tab=History&benchmark={most}&method={first.method}"
    return found


def whole(page, path: Path, width: int) -> None:
    """A picture of all of a page, which scrolls within itself."""
    page.set_viewport_size({"width": width, "height": 1000})
    page.wait_for_timeout(500)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(max(height, 1000), TALLEST)})
    page.wait_for_timeout(1_500)  # tables and plots are drawn on canvases, which cannot be waited for
    page.screenshot(path=str(path))


def every(url: str, folder: Path, only: str) -> None:
    """Pictures of all views whose names begin with ``only``."""
    folder.mkdir(parents=True, exist_ok=True)
    with served(url) as address:
        for theme in THEMES:
            with browser_page(theme=theme) as page:
                for name, view in views(url).items():
                    if not name.startswith(only):
                        continue
                    page.goto(f"{address}/{view}")
                    at_rest(page)
                    for width in WIDTHS:
                        whole(page, file := folder / f"{name.replace(' ', '-')}-{theme}-{width}.png", width)
                        print(f"wrote {file}", flush=True)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", default="sqlite:///results/harness.db")
    parser.add_argument("--page", default="", help="its address, e.g. 'benchmark?benchmark=rooms'; the overview by default")
    parser.add_argument("--out", type=Path, default=Path("docs/dashboard.png"))
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="pictures of every view")
    parser.add_argument("--only", default="", help="with --all: of those whose name begins like this")
    options = parser.parse_args()
    if options.all:
        every(options.db, options.all, options.only)
        return
    with served(options.db) as address, browser_page() as page:
        page.goto(f"{address}/{options.page}")
        at_rest(page)
        page.wait_for_timeout(2_000)  # tables and plots are drawn on canvases, which cannot be waited for
        page.screenshot(path=str(options.out))
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
