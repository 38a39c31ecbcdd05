"""A network of another library, with weights of an address, from the command line to a result."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from harness import openmmlab


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_frozen_network_of_torchvision_with_weights_of_an_address(tmp_path, monkeypatch):
    """Planning looks at no address; running fetches the file once; every method of the slot works on the network's maps."""
    openmmlab.mend()
    import torchvision

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "served").mkdir()
    file = tmp_path / "served" / "resnet.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in torchvision.models.resnet18().state_dict().items()}}, file)
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "served")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = {
        "model.backbone": "torchvision:resnet18",
        "model.block_at": "[]",
        "model.levels": "[1, 3]",
        "model.frozen": "true",
        "model.weights.url": f"http://127.0.0.1:{server.server_port}/resnet.pth",
        "model.weights.sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "data.train": "12",
        "data.test": "6",
        "schedule.epochs": "1",
    }
    sets = [word for key, value in told.items() for word in ("--set", f"{key}={value}")]

    def harness(*args: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, "-m", "harness", *args], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    run = ("run", "-m", "gc-block", "-m", "dnl-pairwise-only", "-b", "scenes-segmentation", *sets, "--device", "cpu")
    harness(*run, "--dry-run")
    assert asked == []
    harness(*run)
    assert asked == ["/resnet.pth"]
    rows = json.loads(harness("status", "--json").stdout)["rows"]
    assert [row["state"] for row in rows] == ["done"] * 2, [row["reason"] for row in rows]
    for row in rows:
        assert any("tensors loaded by name under 'state_dict.module'" in note and "0 missing" in note for note in row["notes"])
    assert list((tmp_path / "cache" / "features").iterdir()), "features are kept, as of any frozen network"
    server.shutdown()
