"""What a file of kept weights says of itself, and what is not tested with them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from harness.engine.kept import FILE, Keep, about
from harness.engine.trained import _same_order
from harness.errors import UsageError


def test_classes_in_another_order_are_not_tested(tmp_path):
    """The network would be right where it says the wrong name, and the metrics would say nothing."""
    model = torch.nn.Linear(2, 2)
    dataset = SimpleNamespace(metainfo={"classes": ("pear", "apple")})
    keep = Keep(tmp_path)
    keep.before_test_epoch(SimpleNamespace(model=model, test_dataloader=SimpleNamespace(dataset=dataset)))
    trial = SimpleNamespace(digest="d", method="m", benchmark="b", version=1, family="detection", seed=0, overrides=(), config_file=None)
    keep.write(trial, {"AP": 1.0})
    kept = about(tmp_path / FILE)["classes"]
    assert kept == ["pear", "apple"]
    with pytest.raises(UsageError, match="pear, apple, and 'other' has apple, pear"):
        _same_order(kept, {"classes": ["apple", "pear"]}, "other")
    _same_order(kept, dataset.metainfo, "other")
    _same_order(kept, {"classes": ["plum", "apple"]}, "other")
    _same_order([], dataset.metainfo, "other")
