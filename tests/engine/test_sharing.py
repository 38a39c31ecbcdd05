"""Several trials on one GPU, without one: where the next goes, and a quiet moment for whoever measures."""

from __future__ import annotations

import time
from itertools import pairwise
from types import SimpleNamespace

import pytest
from engine_fakes import make_trial

from harness.engine import isolate
from harness.engine.places import Places

GB = 1 << 30


def child(device="cuda:0", *, taken=0, passes=100, benchmark="fake"):
    return SimpleNamespace(
        job=SimpleNamespace(trial=make_trial(benchmark=benchmark), device=device), pulse=SimpleNamespace(memory=taken, count=passes)
    )


def test_a_number_of_trials_per_device_is_kept():
    places = Places(["cuda:0", "cuda:1"], {}, 2)
    assert places.free("fake", []) == "cuda:0" and places.free("fake", [child()]) == "cuda:1"
    assert places.free("fake", [child(), child("cuda:1"), child()]) == "cuda:1"
    assert places.free("fake", [child(), child("cuda:1"), child(), child("cuda:1")]) is None


def test_what_trials_take_decides_how_many_share():
    places = Places(["cuda:0"], {"cuda:0": 80 * GB}, None)
    assert places.free("fake", [child(taken=30 * GB)]) == "cuda:0"
    assert places.free("fake", [child(taken=30 * GB)] * 2) is None, "a third would need as much"
    small = Places(["cuda:0"], {"cuda:0": 80 * GB}, None)
    assert small.free("fake", [child(taken=1 * GB)] * 30) == "cuda:0"


def test_a_benchmark_that_nobody_has_seen_gets_half_of_what_is_left():
    places = Places(["cuda:0"], {"cuda:0": 80 * GB}, None)
    assert places.free("new", [child(taken=1 * GB)]) == "cuda:0"
    assert places.free("new", [child(taken=0, passes=0, benchmark="other")] * 3) is None


def test_who_must_be_alone_waits_for_an_empty_device():
    places = Places(["cuda:0", "cuda:1"], {}, 4)
    assert places.alone([child()]) == "cuda:1" and places.alone([child(), child("cuda:1")]) is None


@pytest.fixture
def room(openmmlab, tmp_path, monkeypatch):
    import torch

    from harness.engine import quiet

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="a-gpu"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: None)
    return quiet.Room


def test_neighbours_wait_while_somebody_measures(room, tmp_path):
    """Two trials compute without pause; what a third times while it is quiet overlaps with nothing of theirs."""
    until = time.monotonic() + 3.0

    def compute():
        mine, spans = room("cuda:0"), []
        while time.monotonic() < until:
            mine.pass_by()
            begin = time.monotonic()
            time.sleep(0.01)
            spans.append((begin, time.monotonic()))
        mine.close()
        return spans

    def measure():
        mine, spans = room("cuda:0"), []
        for _ in range(5):
            mine.pass_by()
            time.sleep(0.1)
            with mine.quiet() as alone:
                begin = time.monotonic()
                mine.pass_by()
                time.sleep(0.05)
                spans.append((begin, time.monotonic(), alone))
        mine.close()
        return spans

    answers = [isolate.start(work) for work in (compute, compute, measure, measure)]
    first, second, *measured = (answer.result() for answer in answers)
    quiet = sorted(span for spans in measured for span in spans)
    assert len(quiet) == 10 and all(alone for *_, alone in quiet)
    assert len(first) > 20 and len(second) > 20, "they went on"
    for begin, end, _ in quiet:
        assert not [span for span in (*first, *second) if span[0] < end and begin < span[1]]
    assert all(one[1] <= other[0] for one, other in pairwise(quiet)), "one measures at a time"


def test_who_cannot_be_made_to_wait_is_told(room, monkeypatch):
    from harness.engine import quiet

    monkeypatch.setattr(quiet, "_PATIENCE", 0.05)
    busy, mine = room("cuda:0"), room("cuda:0")
    with mine.quiet() as alone:
        assert not alone
    busy.close()
    with mine.quiet() as alone:
        assert alone


def test_a_killed_neighbour_holds_nothing(room):
    import os
    import signal

    def die():
        room("cuda:0")
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(isolate.Isolated):
        isolate.start(die).result()
    with room("cuda:0").quiet() as alone:
        assert alone
