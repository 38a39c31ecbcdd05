"""Measures of attention against their definitions and hand-made cases."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from harness.diagnostics import measures


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return (3 * torch.randn(2, 4, 12, 12)).softmax(-1)


def test_entropy_from_one_key_to_all():
    assert measures.entropy(torch.eye(5)).tolist() == [0] * 5
    assert measures.entropy(torch.full((3, 8), 1 / 8)).tolist() == pytest.approx([math.log(8)] * 3)
    assert measures.entropy(torch.tensor([-2.0, 2.0])).item() == pytest.approx(math.log(2))
    assert not measures.is_distribution(torch.tensor([[-2.0, 3.0]])) and measures.is_distribution(torch.tensor([[0.25, 0.75]]))


def test_purity_at_its_three_anchors():
    torch.manual_seed(0)
    q = torch.randn(1, 2, 40, 8)
    assert all((value == 1).all() for value in measures.purity(q, q + 100).values())
    # all keys inside, as far out as the queries: half of every region
    same = measures.purity(q, q)
    assert [same[rule].tolist() for rule in ("sphere-max", "sphere-mean", "sphere-p95")] == [[[0.5, 0.5]]] * 3
    assert measures.purity(q, q[..., torch.randperm(40), :])["nearest"].mean() == pytest.approx(0.5, abs=0.05)
    few = q + 100
    few[..., :4, :] = q[..., :4, :]
    assert measures.purity(q, few)["sphere-max"].tolist() == [[pytest.approx(40 / 44)] * 2]
    assert torch.equal(measures.purity_of_largest_sphere(q, few), measures.purity(q, few)["sphere-max"])


def test_purity_rules_by_their_definitions():
    torch.manual_seed(1)
    q, k = torch.randn(40, 8), 0.5 + torch.randn(40, 8)
    to_q, to_k = (sorted(math.dist(token, q.mean(0)) for token in tokens.tolist()) for tokens in (q, k))
    found = {rule: value.item() for rule, value in measures.purity(q[None, None], k[None, None]).items()}
    radii = {"sphere-max": to_q[-1], "sphere-mean": sum(to_q) / 40, "sphere-p95": to_q[37] + 0.05 * (to_q[38] - to_q[37])}
    for rule, radius in radii.items():
        queries, keys = (sum(distance <= radius + 1e-6 for distance in distances) for distances in (to_q, to_k))
        assert found[rule] == pytest.approx(queries / (queries + keys)), rule
    nearest = sorted([(distance, "q") for distance in to_q] + [(distance, "k") for distance in to_k])[:40]
    assert found["nearest"] == pytest.approx(sum(kind == "q" for _, kind in nearest) / 40)


def test_qk_distance_is_between_means():
    q, k = torch.zeros(1, 1, 3, 2), torch.tensor([[[[3.0, 4.0]] * 3]])
    assert measures.qk_distance(q, k).tolist() == [[5.0]]


def test_cosine_distance_over_all_pairs():
    torch.manual_seed(0)
    vectors = torch.randn(2, 7, 5)
    unit = vectors / vectors.norm(dim=-1, keepdim=True)
    assert measures.cosine_distance(vectors).tolist() == pytest.approx(((1 - unit @ unit.mT) / 2).mean(dim=(1, 2)).tolist(), abs=1e-6)
    assert measures.cosine_distance(vectors[:, :1].expand(-1, 7, -1)).tolist() == pytest.approx([0, 0], abs=1e-6)


def test_vectors_of_zeros_have_no_direction():
    vectors = torch.zeros(3, 4, 2)
    vectors[0, :2] = torch.tensor([1.0, 0.0])
    vectors[1, 0] = 1
    distance = measures.cosine_distance(vectors)
    assert distance[0].item() == pytest.approx(0, abs=1e-6) and distance[1:].isnan().all()


def test_queries_that_attend_to_nothing_are_left_out():
    attention = torch.full((1, 1, 4, 4), 0.25)
    attention[0, 0, 3] = 0
    mass, random = measures.within_category_mass(attention, torch.tensor([[0, 0, 0, 1]]))
    assert (mass.item(), random.item()) == (pytest.approx(0.75), pytest.approx(0.75))


class Largest(TorchDispatchMode):
    """The most numbers that an operation wrote, views aside."""

    def __init__(self, *given):
        super().__init__()
        self.given, self.numbers = {tensor.untyped_storage().data_ptr() for tensor in given}, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.untyped_storage().data_ptr() not in self.given:
            self.numbers = max(self.numbers, result.numel())
        return result


@pytest.mark.parametrize("measure", ["entropy", "cosine_distance", "within_category_mass"])
def test_a_matrix_is_worked_on_by_rows_and_never_copied(measure, monkeypatch):
    torch.manual_seed(0)
    attention = (3 * torch.randn(1, 1, 40, 40)).softmax(-1)
    labels = torch.randint(3, (1, 40))
    inputs = {"entropy": (attention,), "cosine_distance": (attention[:, 0],), "within_category_mass": (attention, labels)}[measure]
    whole = getattr(measures, measure)(*inputs)
    monkeypatch.setattr(measures, "_ROWS", 8)
    with Largest(*inputs) as largest:
        parts = getattr(measures, measure)(*inputs)
    torch.testing.assert_close(parts, whole)
    assert largest.numbers <= 8 * 40


def test_pairwise_and_unary_share_add_up(attention):
    unary = attention.mean(dim=-2, keepdim=True)
    parts = [part.var(dim=-1, correction=0).mean(dim=-1) for part in (unary, attention - unary)]
    assert torch.allclose(measures.pairwise_share(attention), parts[1] / sum(parts), atol=1e-5)
    assert measures.pairwise_share(unary.expand_as(attention)).max() < 1e-5
    assert measures.pairwise_share(torch.eye(6)[None, None]).item() == pytest.approx(1)
    assert measures.pairwise_share(torch.full((1, 1, 6, 6), 1 / 6)).isnan().all()


def test_within_category_mass_and_its_baseline(attention):
    labels = torch.tensor([[0] * 4 + [1] * 6 + [255] * 2, [255] * 12])
    mass, random = measures.within_category_mass(attention, labels)
    rows = attention.mean(dim=1)[0]
    expected = [rows[i, :4].sum() if i < 4 else rows[i, 4:10].sum() for i in range(10)]
    assert mass[0].item() == pytest.approx(float(sum(expected)) / 10, rel=1e-5)
    assert random[0].item() == pytest.approx((4 * 4 + 6 * 6) / (10 * 12))
    assert mass[1].isnan() and random[1].isnan()
    uniform, baseline = measures.within_category_mass(torch.full_like(attention, 1 / 12), labels)
    assert uniform[0].item() == pytest.approx(baseline[0].item())


def test_boundary_mass_and_its_baseline():
    labels = torch.zeros(1, 8, 20, dtype=torch.long)
    labels[..., 10:] = 1
    edges = measures.boundary(labels)
    assert edges[0, 0].nonzero().flatten().tolist() == [7, 8, 9, 10, 11, 12]
    mass, random = measures.boundary_mass(edges[:, None], edges[:, None])
    assert (mass.item(), random.item()) == (1, pytest.approx(6 / 20))
    labels[..., 10:] = 255
    assert measures.boundary(labels).sum() == 0


def test_attended_share_counts_keys_above_uniform():
    received = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.25] * 4])
    assert measures.attended_share(received).tolist() == [0.25, 0]
