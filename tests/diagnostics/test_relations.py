"""Attention between boxes: distances by hand, lines where they belong, and both from what a plugin offers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from harness import slots
from harness.diagnostics import relations
from harness.diagnostics.collector import Collector

BOXES = torch.tensor([[[0.0, 0, 4, 4], [30, 0, 34, 4], [0, 40, 4, 44]]])
"""Squares of 4 pixels, 30, 40 and 50 apart."""


def test_distance_of_what_is_attended_to():
    sharp = torch.zeros(1, 2, 3, 3)
    sharp[0, 0, :, 1] = 1  # all look at the second, which looks at itself and counts for nothing
    sharp[0, 1] = 1 / 3
    found = relations.attended_distance(sharp, BOXES)
    assert found[0].tolist() == pytest.approx([(30 / 4 + 50 / 4) / 2, (35 + 40 + 45) / 4 / 3])
    assert relations.uniform_distance(sharp, BOXES).tolist() == pytest.approx([found[0, 1].item()])
    # in the size of the box that attends
    large = BOXES.clone()
    large[0, 0] = torch.tensor([-6.0, -6, 10, 10])
    assert relations.attended_distance(sharp, large)[0, 0].item() == pytest.approx((30 / 16 + 50 / 4) / 2)
    assert math.isnan(relations.attended_distance(torch.ones(1, 1, 1, 1), BOXES[:, :1]).item())


def test_lines_lie_between_the_middles():
    attention = torch.eye(3)[None, None] * 0.2
    attention[0, 0, 0, 1] = 0.8
    drawn = relations.lines(attention, BOXES, (48, 64))
    assert drawn.shape == (1, 1, 48, 64)
    row = drawn[0, 0, 2]
    assert (row[2:33] == 0.8).all() and row[34:].max() == 0
    # the other weights are zero, and a box's weight of itself is no line
    assert drawn[0, 0].max() == pytest.approx(0.8) and (drawn[0, 0] > 0).sum() == 31


class Related(nn.Module):
    def forward(self, x):
        slots.observe(self, attention=torch.full((1, 2, 3, 3), 1 / 3), boxes=BOXES, queries="regions", keys="regions")
        return x


def test_the_collector_takes_them_image_by_image():
    module = Related()
    collector = Collector(module)
    collector.grids.image = (48, 64)
    with slots.observing(collector):
        module(torch.ones(1)), module(torch.ones(1))
    (layer,) = collector.maps
    assert collector.maps[layer].shape == (2, 2, 48, 64)
    means = collector.means.values()
    assert means["attended_distance"] == pytest.approx(10) and means["attended_distance_uniform"] == pytest.approx(10)
    assert means["entropy"] == pytest.approx(math.log(3))
    assert "within_category_mass" not in means
