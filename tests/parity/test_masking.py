"""Every masking strategy hides the tokens its paper says."""

from __future__ import annotations

import math
import random

import proofs
import pytest
import torch
from proofs.masking import TOKENS, attention, build, generator
from torch import Tensor

from harness import slots
from harness.catalog.plugins import discover, load_plugins

PROOFS = proofs.of("masking")


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    load_plugins(set(PROOFS), discover())


@pytest.fixture(name="attention")
def _attention() -> Tensor:
    return attention()


class SharedDraws:
    """numpy's global random functions, on the stream of Python's generator; integers up to and including the upper bound."""

    def __init__(self, seed: int) -> None:
        self.uniform = random.Random(seed).uniform

    def randint(self, low: int, high: int) -> int:
        # BEiT's and mmpretrain's integers stop one short, so that no block reaches the last row or column; AttMask's and iBOT's do
        return int(self.uniform(low, high + 1))


@pytest.mark.parametrize(("height", "width", "count"), [(14, 14, 58), (14, 14, 98), (7, 10, 28), (9, 9, 20)])
def test_blocks_are_those_of_mmpretrain(openmmlab, monkeypatch, height, width, count):
    """The same random numbers make the same mask as ``BEiTMaskGenerator``, block for block, until that insists on its count."""
    from harness_plugins.masking.random_masking import block_mask
    from mmpretrain.datasets.transforms import BEiTMaskGenerator, processing

    theirs = BEiTMaskGenerator((height, width), count, min_num_patches=(min(height, width) // 3) ** 2)
    full = 0
    for seed in range(30):
        monkeypatch.setattr(processing.np, "random", SharedDraws(seed))
        mask, blocks = processing.np.zeros((height, width), dtype=int), []
        while sum(blocks) < count and (not blocks or blocks[-1]):
            blocks.append(theirs._mask(mask, count - sum(blocks)))
        assert block_mask(height, width, count, random.Random(seed)).tolist() == (mask == 1).tolist()
        full += sum(blocks) == count
    monkeypatch.undo()
    # theirs draws on until the count is met exactly; ours may stop short, as the released code of AttMask
    assert theirs.transform({})["mask"].sum() == count and 0 < full < 30


@pytest.mark.parametrize("name", PROOFS)
def test_the_generator_decides(name, attention):
    """Same generator, same mask; the global random state is neither read nor moved."""
    strategy, before = build(name, masking_prob=0.5), torch.get_rng_state()
    first = strategy(attention, generator(3))
    assert first.dtype == torch.bool and first.shape == attention.shape
    assert torch.equal(first, strategy(attention, generator(3)))
    assert not torch.equal(first, strategy(attention, generator(4)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", PROOFS)
def test_an_image_is_masked_with_the_given_probability(name):
    """Decided after the mask is made: an image is masked in full or not at all."""
    attention = torch.rand(400, 49, generator=generator())
    some = build(name, masking_prob=0.5, low=0.3, high=0.3)(attention, generator())
    masked = some.any(1).float().mean()
    assert abs(masked - 0.5) < 4.5 * 0.5 / 20
    assert not build(name, masking_prob=0.0)(attention, generator()).any()


@pytest.mark.parametrize("name", [name for name in PROOFS if PROOFS[name].one_ratio])
def test_one_ratio_per_batch(name, attention):
    counts = {int(build(name)(attention, generator(seed)).sum(1).unique().item()) for seed in range(20)}
    assert len(counts) > 10 and min(counts) >= int(0.1 * TOKENS) - 1 and max(counts) <= TOKENS / 2


@pytest.mark.parametrize("name", [name for name in PROOFS if not PROOFS[name].one_ratio])
def test_one_ratio_per_image(name, attention):
    assert len(build(name)(attention, generator()).sum(1).unique()) > 10


def test_hint_ratio_is_the_masks_own_or_a_second_draw(attention):
    """Paper: ⌊0.1·r·N⌋ hints for ⌊r·N⌋ masked. Released code: the hints' ratio is drawn again."""

    def pairs(independent: bool) -> set[tuple[int, int]]:
        strategy, plain = build("attmask-hint", independent_ratio=independent), build("attmask-high")
        found = set()
        for seed in range(40):
            masked = int(plain(attention, generator(seed))[0].sum())
            found.add((masked, masked - int(strategy(attention, generator(seed))[0].sum())))
        return found

    # ⌊rN⌋ = n leaves r in [n/N, (n+1)/N), so one draw fixes the number of hints up to that rounding.
    assert all(n // 10 <= hints <= (n + 1) // 10 for n, hints in pairs(independent=False))
    assert any(not n // 10 <= hints <= (n + 1) // 10 for n, hints in pairs(independent=True))


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize("tokens", [1, 4, 9, 49])
def test_small_grids(name, tokens):
    """⌊rN⌋ and ⌊0.1rN⌋ may be 0: then nothing is hidden or shown."""
    attention = torch.rand(5, tokens, generator=generator())
    for seed in range(10):
        mask = build(name)(attention, generator(seed))
        assert mask.shape == (5, tokens) and (mask.sum(1) <= tokens // 2).all()


def test_ties_are_broken_by_position():
    flat = torch.ones(2, 10)
    assert build("attmask-high", low=0.3, high=0.3)(flat)[0].tolist() == [True] * 3 + [False] * 7
    assert build("attmask-low", low=0.3, high=0.3)(flat)[0].tolist() == [True] * 3 + [False] * 7


@pytest.mark.parametrize("name", ["attmask-high", "attmask-low", "attmask-hint"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_attention_without_a_ranking_is_refused(name, value):
    attention = torch.rand(2, 49)
    attention[1, 3] = value
    with pytest.raises(ValueError, match="not finite"):
        build(name, low=0.3, high=0.3)(attention)


@pytest.mark.parametrize("params", [{"low": 0.6}, {"high": 1.5}, {"masking_prob": -0.1}])
def test_impossible_parameters_are_refused(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        slots.registry().get("attmask-high")(**params)


def test_grid_must_fit():
    with pytest.raises(ValueError, match="square"):
        build("random-block-wise-masking")(torch.rand(2, 12))
    assert build("random-block-wise-masking", height=3)(torch.rand(2, 12)).shape == (2, 12)
