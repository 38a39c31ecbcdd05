"""``--set``: which keys there are, and whose each is."""

from __future__ import annotations

import pytest

from harness.compose.overrides import Overrides
from harness.errors import UsageError


def test_what_was_changed_is_told_by_whose_it_is():
    benchmarks, methods = ("schedule.epochs=3", "model.method.width=1"), ("method.gamma=2", "method.attention_loss.schedule=cosine")
    overrides = Overrides.parse([*benchmarks, *methods])
    assert overrides.texts(of_benchmark=True, of_method=False) == benchmarks
    assert overrides.texts(of_benchmark=False, of_method=True) == methods
    assert overrides.texts(of_benchmark=True, of_method=True) == (*benchmarks, *methods)


@pytest.mark.parametrize("key", ["colour", "colour.red", "colour.method", "colour.data.x", "data", "method", "method.a.b.c"])
def test_a_key_that_belongs_to_nothing_is_refused(key: str):
    with pytest.raises(UsageError, match=r"the key starts with data\., model\., schedule\. or method\."):
        Overrides.parse([f"{key}=1"])
