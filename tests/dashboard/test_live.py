"""In a browser: the page of runs follows a run by itself, a row leads to its trial, and Back and reload keep the place."""

from __future__ import annotations

import importlib.util
import time

import pytest

from harness import paths
from harness.store import open_store, process
from harness.store.schema import trials


@pytest.fixture
def screenshot():
    spec = importlib.util.spec_from_file_location("screenshot", paths.home() / "docs" / "screenshot.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.chromium() is None:
        pytest.skip("no Chromium on this machine")
    return module


def test_a_run_is_followed_without_a_click(database, measured, tmp_path, screenshot):
    _, second = measured("gap", 70.0, 71.0)
    about = {"state": "running", "started": time.time(), "finished": None, "host": process.host(), "pid": 1}

    def change(digest: str, **values) -> None:
        with open_store(database)._write() as connection:
            connection.execute(trials.update().where(trials.c.digest == digest).values(**values))

    change(second, **about, process_start=process.started(1))
    log = tmp_path / "results" / "trials" / second / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("Epoch(train) [1][20/23]  lr: 1\n")
    with screenshot.served(database) as address, screenshot.browser_page() as tab:
        wrong = []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: None if address.split("//")[1] in request.url[:40] else wrong.append(request.url))
        tab.goto(f"{address}/trial?trial={second}&tab=Log")
        tab.get_by_text("training, epoch 1, 20 of 23").wait_for(timeout=60_000)
        log.write_text("Epoch(train) [2][20/23]  lr: 1\n")
        tab.get_by_text("training, epoch 2, 20 of 23").wait_for(timeout=30_000)
        tab.goto(f"{address}/runs?method=gap")
        tab.get_by_text("0 planned · 1 running · 0 interrupted · 1 done · 0 failed").wait_for(timeout=60_000)
        change(second, state="failed", kind="no-result", reason="the loss is nan <script>alert(1)</script>", finished=time.time())
        tab.get_by_text("0 planned · 0 running · 0 interrupted · 1 done · 1 failed").wait_for(timeout=30_000)
        tab.get_by_role("heading", name="Failures by reason").wait_for(timeout=30_000)
        assert tab.url == f"{address}/runs?method=gap"
        tab.goto(f"{address}/trial?trial={second}&tab=Log")
        tab.get_by_text("Epoch(train) [2][20/23]  lr: 1").wait_for(timeout=30_000)
        tab.get_by_text("no-result: the loss is nan <script>alert(1)</script>").wait_for(timeout=30_000)
        tab.get_by_role("tab", name="Provenance").click()
        tab.get_by_role("heading", name="Run it again").wait_for(timeout=30_000)
        tab.reload()
        tab.get_by_role("heading", name="Run it again").wait_for(timeout=60_000)
        assert "tab=Provenance" in tab.url and f"trial={second}" in tab.url
        tab.go_back()
        tab.get_by_text("Epoch(train) [2][20/23]  lr: 1").wait_for(timeout=30_000)
        assert not wrong
