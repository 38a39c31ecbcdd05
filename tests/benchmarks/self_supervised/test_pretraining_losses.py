"""Losses, schedules and teacher of self-distillation against their formulas, written out number by number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from harness.benchmarks.self_supervised.parts.head import ProjectionHead, follow
from harness.benchmarks.self_supervised.parts.losses import Centre, Information, Sinkhorn, patch_loss, view_loss
from harness.benchmarks.self_supervised.parts.schedules import cosine, warm_up


def _softmax(values):
    top = max(values)
    weights = [math.exp(value - top) for value in values]
    return [weight / sum(weights) for weight in weights]


def _slow_cross_entropy(teacher, student):
    return -sum(p * math.log(q) for p, q in zip(teacher, _softmax(student), strict=True))


@pytest.fixture
def draws():
    return torch.Generator().manual_seed(3)


def _probabilities(shape, draws):
    return torch.randn(shape, generator=draws, dtype=torch.float64).mul(2).softmax(dim=-1)


def test_views_are_predicted_from_all_others(draws):
    teacher, student = _probabilities((2, 3, 5), draws), torch.randn(4, 3, 5, generator=draws, dtype=torch.float64)
    pairs = [(q, v) for q in range(2) for v in range(4) if q != v]
    slow = np.mean([np.mean([_slow_cross_entropy(teacher[q, i].tolist(), student[v, i].tolist()) for i in range(3)]) for q, v in pairs])
    student.requires_grad_()
    loss = view_loss(teacher, student)
    assert len(pairs) == 6 and loss.item() == pytest.approx(slow, abs=1e-12)
    loss.backward()
    gradient = sum(F.one_hot(torch.tensor(v), 4)[:, None, None] * (student.softmax(-1) - teacher[q]) for q, v in pairs) / (6 * 3)
    assert torch.allclose(student.grad, gradient, rtol=0, atol=1e-12)


def test_masked_tokens_are_predicted_and_no_others(draws):
    teacher, student = _probabilities((3, 4, 5), draws), torch.randn(3, 4, 5, generator=draws, dtype=torch.float64)
    mask = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.bool)
    slow = 0.0
    for image in range(3):
        values = [_slow_cross_entropy(teacher[image, t].tolist(), student[image, t].tolist()) for t in range(4) if mask[image, t]]
        slow += (sum(values) / len(values) if values else 0.0) / 3
    student.requires_grad_()
    loss = patch_loss(teacher, student, mask)
    assert loss.item() == pytest.approx(slow, abs=1e-12)
    loss.backward()
    gradient = (student.softmax(-1) - teacher) * (mask.double() / mask.sum(dim=1, keepdim=True).clamp(min=1))[..., None] / 3
    assert (student.grad[~mask] == 0).all() and torch.allclose(student.grad, gradient, rtol=0, atol=1e-12)


def test_the_centre_follows_the_batches_and_counts_from_the_next_one_on(draws):
    logits = torch.randn(6, 3, 4, generator=draws)
    centre = Centre(4, momentum=0.8)
    assert torch.equal(centre(logits, 0.5), (logits / 0.5).softmax(-1)), "the first batch is not centred by itself"
    expected = [0.2 * sum(logits[i, j, k].item() for i in range(6) for j in range(3)) / 18 for k in range(4)]
    assert centre.value.tolist() == pytest.approx(expected, abs=1e-6)
    centre.eval()
    before = centre.value.clone()
    assert torch.allclose(centre(logits, 0.5), ((logits - before) / 0.5).softmax(-1)) and torch.equal(centre.value, before)


def test_sinkhorn_uses_prototypes_alike(draws):
    logits = torch.randn(12, 4, generator=draws, dtype=torch.float64)
    found = Sinkhorn(200)(logits, 0.5)
    assert torch.allclose(found.sum(dim=1), torch.ones(12, dtype=torch.float64))
    assert torch.allclose(found.sum(dim=0), torch.full((4,), 3.0, dtype=torch.float64), atol=1e-9)
    # of that form there is one such matrix: u_i exp(z_ik / T) v_k
    scale = found / (logits / 0.5).exp()
    assert np.linalg.matrix_rank(scale.numpy(), tol=1e-9 * float(scale.max())) == 1
    # and after as few turns as in training, the rows are normalized last
    few, slow = Sinkhorn(3)(logits, 0.5), (logits / 0.5).exp().numpy()
    for _ in range(3):
        slow = slow / slow.sum(axis=0, keepdims=True)
        slow = slow / slow.sum(axis=1, keepdims=True)
    assert np.allclose(few.numpy(), slow, atol=1e-12)


def test_sinkhorn_bears_sharp_temperatures(draws):
    assert torch.isfinite(Sinkhorn(3)(100 * torch.randn(12, 4, generator=draws), 0.01)).all()


def test_information_is_that_between_image_and_prototype(draws):
    p = _probabilities((50, 6), draws)
    told = Information()
    told.add(p[:20])
    told.add(p[20:])
    marginal = p.mean(dim=0)
    slow = sum(p[i, k].item() * math.log(p[i, k].item() / marginal[k].item()) for i in range(50) for k in range(6)) / 50
    assert told.value == pytest.approx(slow, abs=1e-12) and told.most == math.log(6)


@pytest.mark.parametrize("collapsed", [torch.full((8, 5), 0.2), torch.eye(5)[:1].repeat(8, 1)])
def test_both_ways_of_collapsing_tell_nothing(collapsed):
    told = Information()
    told.add(collapsed)
    assert told.value == pytest.approx(0, abs=1e-9)


def test_one_prototype_for_each_image_tells_all():
    told = Information()
    told.add(torch.eye(5))
    assert told.value == pytest.approx(math.log(5))


def test_the_teacher_is_an_average_of_its_students(draws):
    teacher, student = nn.Linear(2, 3), nn.Linear(2, 3)
    slow = teacher.weight.detach().numpy().astype(np.float64)
    for step in range(5):
        student.weight.data.normal_(generator=draws)
        momentum = cosine(0.9, 1.0, step, 5)
        slow = momentum * slow + (1 - momentum) * student.weight.detach().numpy()
        follow(teacher, student, momentum)
    assert np.allclose(teacher.weight.detach().numpy(), slow, atol=1e-6)


def test_schedules_go_from_end_to_end():
    assert cosine(0.996, 1.0, 0, 10) == pytest.approx(0.996) and cosine(0.996, 1.0, 5, 10) == pytest.approx(0.998)
    assert cosine(0.996, 1.0, 10, 10) == pytest.approx(1.0)
    assert [warm_up(0.04, 0.07, epoch, 4) for epoch in range(6)] == pytest.approx([*np.linspace(0.04, 0.07, 4), 0.07, 0.07])
    assert warm_up(0.04, 0.07, 0, 0) == 0.07 and warm_up(0.04, 0.07, 0, 1) == 0.04


def test_the_head_gives_cosines_and_shares_its_prototypes(draws):
    torch.manual_seed(0)
    tokens = torch.randn(2, 1 + 4, 8, generator=draws)
    shared, apart = ProjectionHead(8, 16, 6, prototypes=5), ProjectionHead(8, 16, 6, prototypes=5, patch_prototypes=7)
    of_class, of_patches = shared(tokens)
    x = shared.mlp(tokens)
    rows = shared.prototypes.weight / shared.prototypes.weight.norm(dim=1)[:, None]
    slow = torch.einsum("btd,kd->btk", x / x.norm(dim=-1, keepdim=True), rows)
    assert torch.allclose(of_class, slow[:, 0], atol=1e-6) and torch.allclose(of_patches, slow[:, 1:], atol=1e-6)
    assert torch.allclose(shared.of_class_token(tokens[:, 0]), of_class, atol=1e-6)
    assert apart(tokens)[1].shape == (2, 4, 7) and apart(tokens)[0].shape == (2, 5)
