"""However attention is computed, it is softmax(scale * q k^T) v, with the gradients of that."""

from __future__ import annotations

import pytest
import torch

from harness.catalog.plugins import discover, load_plugins


@pytest.fixture(scope="module")
def attend(openmmlab):
    load_plugins({"non-local"}, discover())
    from harness_plugins.blocks.tokens import attend

    return attend


@pytest.mark.parametrize("width, out", [(8, 8), (8, 24), (24, 8), (160, 160)])
@pytest.mark.parametrize("queries, keys", [(50, 70), (200, 1100), (1100, 1100)])
def test_equals_the_matrix(attend, queries, keys, width, out):
    """Few keys, many keys, and several blocks of queries; also for tokens that are a transposed view of a map."""
    draws = torch.Generator().manual_seed(0)
    shapes = ((queries, width), (keys, width), (keys, out))
    q, k, v = (torch.randn(2, c, n, generator=draws, dtype=torch.double).mT.requires_grad_() for n, c in shapes)
    y, expected = attend(q, k, v, 0.7), (0.7 * q @ k.mT).softmax(-1) @ v
    torch.testing.assert_close(y, expected)
    weights = torch.randn(y.shape, generator=draws, dtype=torch.double)
    for ours, theirs in zip(torch.autograd.grad(y, (q, k, v), weights), torch.autograd.grad(expected, (q, k, v), weights), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("width", "out", "given"), [(32, 256, (32, 256)), (5, 64, (8, 64)), (24, 20, (24, 24))])
def test_a_gpu_gets_no_wider_queries_than_it_asks_for(attend, monkeypatch, width, out, given):
    """A multiple of 16 bytes, since otherwise torch makes the N x N matrix; values may be wider than queries."""
    seen = []
    plain = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda q, k, v, **more: (seen.append((q, k, v)), plain(q, k, v, **more))[1]
    )
    q, k, v = (torch.randn(2, 1100, c, device="meta") for c in (width, width, out))
    assert attend(q, k, v).shape == v.shape
    ((q, k, v),) = seen
    assert (q.shape[-1], v.shape[-1]) == given and k.shape == q.shape


def test_no_large_matrix_is_kept(attend):
    """Of unequal widths on a CPU, where no fused kernel does it; a small one is kept, since computing it again takes longer."""
    sizes: list[int] = []
    q, k, v = torch.randn(1, 4200, 4, requires_grad=True), torch.randn(1, 4200, 4), torch.randn(1, 4200, 16)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
        attend(q, k, v).sum().backward()
    assert max(sizes) <= v.numel()


@pytest.mark.parametrize(("width", "limit"), [(8, "_KEPT"), (256, "_KEPT_WIDE")])
def test_weights_computed_again_give_the_same_gradients(attend, monkeypatch, width, limit):
    import harness_plugins.blocks.blocked as blocked

    def gradients() -> tuple[torch.Tensor, ...]:
        draws = torch.Generator().manual_seed(0)
        q, k, v = (torch.randn(2, 1100, c, generator=draws, dtype=torch.double, requires_grad=True) for c in (width, width, 24))
        return torch.autograd.grad(attend(q, k, v, 0.7).square().sum(), (q, k, v))

    kept = gradients()
    monkeypatch.setattr(blocked, limit, 0)
    for ours, theirs in zip(gradients(), kept, strict=True):
        torch.testing.assert_close(ours, theirs)
