"""Functions in forked processes: what they return, and how they may fail."""

from __future__ import annotations

import math
import os
import signal

import pytest

from harness.engine import isolate
from harness.errors import UsageError


def test_values_come_back_in_any_order():
    answers = [isolate.start(lambda number=number: {"number": number, "nan": math.nan}) for number in range(3)]
    assert [answer.result()["number"] for answer in reversed(answers)] == [2, 1, 0]


def test_long_values_come_back_whole():
    assert len(isolate.start(lambda: "x" * 1_000_000).result()) == 1_000_000


def test_nothing_is_left_behind_in_the_parent():
    seen = []
    isolate.start(lambda: seen.append(1)).result()
    assert seen == []


def fail():
    raise UsageError("give another one.")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (fail, "^give another one.$"),
        (lambda: [][1], "^IndexError: list index out of range$"),
        (lambda: os._exit(7), "ended with status 7"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended with status -9"),
        (lambda: {1, 2}, "ended with status"),
    ],
    ids=["our error", "another error", "exit", "killed", "no JSON"],
)
def test_failures_are_said(function, says):
    with pytest.raises(isolate.Isolated, match=says):
        isolate.start(function).result()
