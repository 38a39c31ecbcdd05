"""What makes a result doubtful is seen: predictions that are no numbers, and parameters that nobody trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData
from torch import nn

from harness.engine.finite import FinitePredictions, finite
from harness.engine.unseen import notes
from harness.errors import TrialError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "right"),
    [
        (torch.tensor([1.0, 3e38, 3e38]), True),
        (torch.tensor([6e4, 6e4], dtype=torch.float16), True),
        (torch.tensor([1.0, NAN]), False),
        (torch.tensor([INF, -INF]), False),
        (torch.tensor([3]), True),
        (torch.zeros(0), True),
        (np.array([1.0, NAN]), False),
        (np.array(["a"]), True),
        (InstanceData(keypoints=np.ones((1, 2, 2)), scores=torch.ones(1)), True),
        (InstanceData(keypoints=np.full((1, 2, 2), NAN)), False),
        ([torch.ones(2), torch.tensor(NAN)], False),
        ("text", True),
    ],
)
def test_whether_a_prediction_is_finite(value, right):
    assert finite(value) is right


def judged(*scores: float) -> FinitePredictions:
    hook = FinitePredictions()
    hook.before_test(None)
    samples = [BaseDataElement(pred_score=torch.tensor([0.5, score]), truth=torch.tensor(NAN)) for score in scores]
    for at in range(0, len(samples), 2):
        hook.after_test_iter(None, at, outputs=samples[at : at + 2])
    hook.after_test_epoch(None)
    return hook


def test_images_without_a_finite_prediction_are_counted():
    assert judged(0.1, 0.2, 0.3).notes == judged().notes == []
    assert judged(0.1, NAN, INF).notes == ["2 of 3 test images have predictions that are not finite, of which every score is accidental"]
    with pytest.raises(TrialError, match="all 2 test images are not finite"):
        judged(NAN, NAN)


class Forgetful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.known = nn.Linear(2, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.teacher = [nn.Linear(2, 2)]
        self.views = [self.known]
        self.branches = {"a": nn.Linear(2, 2, bias=False)}

    def forward(self, x):
        if not hasattr(self, "late"):
            self.late = nn.Parameter(torch.ones(2))
        with torch.no_grad():
            x = x + self.teacher[0](x)
        return self.frozen(self.known(x)) + self.branches["a"](x) * self.late


def test_parameters_that_a_gradient_reaches_and_no_optimiser_has_are_noted():
    model = Forgetful()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert notes(model, optimizer) == []
    model(torch.ones(1, 2)).sum().backward()
    [note] = notes(model, optimizer)
    assert note.startswith("never trained, since the optimiser does not know them: branches['a'].weight, late. ")
