"""Take the README's picture of the dashboard: python docs/screenshot.py --db sqlite:///results/harness.db

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
def browser_page(width: int = 1280, height: int = 1000) -> Iterator:
    """A page of a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium(), headless=True, args=CHROMIUM_FLAGS, viewport={"width": width, "height": height}
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


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", default="sqlite:///results/harness.db")
    parser.add_argument("--page", default="", choices=["", "benchmark", "runs"])
    parser.add_argument("--out", type=Path, default=Path("docs/dashboard.png"))
    options = parser.parse_args()
    with served(options.db) as address, browser_page() as page:
        page.goto(f"{address}/{options.page}")
        at_rest(page)
        page.wait_for_timeout(2_000)  # tables and plots are drawn on canvases, which cannot be waited for
        page.screenshot(path=str(options.out))
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
