"""Loader workers: the batches they make are those that one process makes, whatever their number."""

from __future__ import annotations

import functools
import random
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler


class Drawn(Dataset):
    """Samples that draw from all three generators."""

    metainfo = {"classes": ["a"]}

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), torch.rand(1).item()


def plain(items):
    return items


def batches(workers, epoch, device="cuda:0", seed=0):
    from harness.engine.loading import Loading, begin

    made = DataLoader(Drawn(), batch_sampler=BatchSampler(SequentialSampler(range(10)), 4, False), collate_fn=plain)
    loader = Loading(seed, device, workers).loader(made, train=True)
    assert loader.dataset.metainfo == {"classes": ["a"]} and loader.batch_sampler.batch_size == 4
    begin(loader, epoch)
    return [sample for batch in loader for sample in batch]


@pytest.fixture(autouse=True)
def _no_pinning(openmmlab, monkeypatch):
    """There is no GPU to pin memory for."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.filterwarnings("ignore:.*pin_memory")
def test_draws_depend_on_seed_epoch_and_sample_alone():
    none, one, two = (batches(workers, 3) for workers in (0, 1, 2))
    assert none == one == two and [index for index, *_ in none] == [*range(10)]
    values = Counter(value for _, *some in (*none, *batches(0, 4), *batches(0, 3, seed=1)) for value in some)
    assert len(values) == 3 * 30 and max(values.values()) == 1


@pytest.mark.filterwarnings("ignore:.*pin_memory")
def test_a_living_worker_learns_of_the_next_epoch():
    from harness.engine.loading import Loading, begin

    made = DataLoader(Drawn(), batch_sampler=BatchSampler(SequentialSampler(range(10)), 4, False), collate_fn=plain)
    loader = Loading(0, "cuda:0", 2).loader(made, train=True)
    assert loader.persistent_workers and loader.prefetch_factor
    for epoch in (0, 1, 2):
        begin(loader, epoch)
        assert [sample for batch in loader for sample in batch] == batches(0, epoch)


def test_samples_leave_the_process_generators_alone():
    from harness.engine.loading import _Drawing

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    assert _Drawing(Drawn(), 0)[0, 1] == batches(0, 0)[1]
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    _Drawing(Drawn(), 0)[0, 1]
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


def test_a_cpu_without_workers_keeps_its_loader():
    from harness.engine.loading import Loading

    made = DataLoader(Drawn(), batch_size=2)
    for workers in (0, None):
        loading = Loading(0, "cpu", workers, spare=8)
        assert loading.loader(made, train=True) is made and loading.report() == {}
    assert Loading(0, "cpu", 1).report() == Loading(0, "cuda:0").report() == {"draws": "per sample"}


def test_remembered_images_need_no_workers(openmmlab):
    from harness.benchmarks.parts.remember import Remember
    from harness.engine.loading import is_remembered

    class Pictures(Dataset):
        def __init__(self, count, megabytes):
            make = functools.partial(dict, img=np.zeros(1 << 20, np.uint8))
            keep = Remember([], megabytes)
            keep.chain = lambda results: make(**results)
            self.pipeline = type("Chain", (), {"transforms": [keep]})()
            self.count = count

        def __len__(self):
            return self.count

        def __getitem__(self, index):
            return self.pipeline.transforms[0]({"sample_idx": index})

    assert is_remembered(Pictures(10, 10)) and not is_remembered(Pictures(11, 10)) and not is_remembered(Drawn())
