"""What an installed harness must do, far from any checkout: for the test of the wheel and for `make matrix`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

TINY = Path(__file__).with_name("tiny.yaml")
RUN = ("-b", "tiny", "-m", "gap", "-m", "simpool", "--device", "cpu")
STEPS = (
    ("list", "methods"),
    ("list", "claims"),
    ("doctor",),
    ("run", *RUN),
    ("leaderboard",),
    ("leaderboard", "--published", "-b", "imagenet-resnet50"),
    ("report", "--out", "report"),
    ("plugin", "new", "my-pool", "--slot", "pooling"),
    ("run", *RUN, "-m", "my-pool"),
)
"""Verbs that need the registry, plugins, migrations, published numbers and templates."""


def walk(python: Path, folder: Path, dashboard: bool = True) -> str:
    """Use the harness that ``python`` has, in the empty ``folder``; what went wrong first, or nothing."""
    shutil.copy(TINY, folder / "registry.yaml")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and not name.startswith("HARNESS_")}
    environment = {**kept, "HARNESS_CACHE": str(folder / "cache")}
    script = python.with_name("harness")
    for step in STEPS:
        done = subprocess.run([script, *step], cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            return f"harness {' '.join(step)}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return _dashboard(script, folder, environment) if dashboard else ""


def _dashboard(script: Path, folder: Path, environment: dict[str, str]) -> str:
    port = "8653"
    log = folder / "dashboard.txt"
    with log.open("w") as out:
        server = subprocess.Popen([script, "dashboard", "--port", port], cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        give_up = time.monotonic() + 240
        while time.monotonic() < give_up and server.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as answer:
                    if answer.read() == b"ok":
                        return ""
            except OSError:
                time.sleep(0.5)
        return f"harness dashboard does not answer:\n{log.read_text()[-2000:]}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


if __name__ == "__main__":
    sys.exit(walk(Path(sys.argv[1]).absolute(), Path(sys.argv[2])) or None)  # an empty text would be a failure
