"""Views of images against slicing, and against torchvision's way of drawing them, simulated."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from harness.benchmarks.self_supervised.parts.crops import Jitter, boxes, cropped, jittered, view


@pytest.fixture
def images():
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


NEVER, ALWAYS = torch.zeros(4, dtype=torch.bool), torch.ones(4, dtype=torch.bool)


def test_a_box_of_whole_pixels_is_a_slice(images):
    # left 4, top 2, 8 wide and high
    where = torch.tensor([[4 / 16, 2 / 16, 0.5, 0.5]]).expand(4, 4)
    assert torch.allclose(cropped(images, where, 8, NEVER), images[:, :, 2:10, 4:12], atol=1e-5)
    assert torch.allclose(cropped(images, where, 8, ALWAYS), images[:, :, 2:10, 4:12].flip(-1), atol=1e-5)


def test_a_crop_is_enlarged_as_torch_enlarges(images):
    where = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(4, 4)
    slow = F.interpolate(images, scale_factor=2, mode="bicubic").clamp(0, 1)
    assert torch.allclose(cropped(images, where, 32, NEVER), slow, atol=1e-5)


def _torchvision(area, aspect, count):
    """``RandomResizedCrop.get_params`` for a large square image, without rounding."""
    draws = random.Random(5)
    found = []
    for _ in range(count):
        for _ in range(10):
            share, ratio = draws.uniform(*area), math.exp(draws.uniform(*map(math.log, aspect)))
            width, height = math.sqrt(share * ratio), math.sqrt(share / ratio)
            if width <= 1 and height <= 1:
                found.append((draws.uniform(0, 1 - width), draws.uniform(0, 1 - height), width, height))
                break
        else:
            found.append((0.0, 0.0, 1.0, 1.0))
    return np.array(found)


@pytest.mark.parametrize("area", [(0.05, 0.25), (0.4, 1.0)])
def test_boxes_are_distributed_as_torchvisions(area):
    torch.manual_seed(0)
    found, slow = boxes(4000, area).numpy(), _torchvision(area, (3 / 4, 4 / 3), 4000)
    assert (found >= 0).all() and (found[:, :2] + found[:, 2:] <= 1 + 1e-6).all()
    for column in range(4):
        for quantile in (0.1, 0.5, 0.9):
            assert np.quantile(found[:, column], quantile) == pytest.approx(np.quantile(slow[:, column], quantile), abs=0.03)


def test_colours_change_as_said(images):
    torch.manual_seed(4)
    found = jittered(images, Jitter(prob=1.0, grey=0.0))
    torch.manual_seed(4)
    torch.rand(4)
    slow = images.numpy().astype(np.float64)
    grey = np.array([0.299, 0.587, 0.114])[:, None, None]
    for name, spread in (("brightness", 0.4), ("contrast", 0.4), ("saturation", 0.2)):
        factors = torch.empty(4).uniform_(1 - spread, 1 + spread).numpy()
        for index, factor in enumerate(factors):
            plain = (slow[index] * grey).sum(axis=0)
            other = {"brightness": 0.0, "contrast": plain.mean(), "saturation": plain[None]}[name]
            slow[index] = np.clip(factor * slow[index] + (1 - factor) * other, 0, 1)
    assert np.allclose(found.numpy(), slow, atol=1e-5)


def test_nothing_changes_without_jitter_and_grey_has_no_colour(images):
    assert torch.equal(jittered(images, Jitter(prob=0.0, grey=0.0)), images)
    grey = jittered(images, Jitter(prob=0.0, grey=1.0))
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0], grey[:, 2])


def test_views_of_one_state_of_the_generator_are_the_same(images):
    first, second = [], []
    for views in (first, second):
        torch.manual_seed(7)
        views += [view(images, (0.25, 1.0), 16, Jitter()), view(images, (0.25, 1.0), 16, Jitter())]
    assert torch.equal(first[0], second[0]) and not torch.equal(first[0], first[1])
