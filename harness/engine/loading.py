"""Loader workers: how many a trial has, and that what they draw does not depend on that."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader, Dataset

from harness.benchmarks.parts.remember import Remember
from harness.digests import digest_of

_MOST = 8
"""Workers that a trial has by default, at most: more seldom feed a GPU faster."""
_AHEAD = 4
"""Batches that each prepares in advance."""
_SHARED = 1 << 30
"""Bytes of shared memory without which there are no workers by default: batches pass through it."""


@dataclass(frozen=True)
class Loading:
    """How the batches of a trial are made."""

    seed: int
    device: str = "cpu"
    workers: int | None = 0
    """Processes for each loader; ``None``: ``spare`` ones, unless there is nothing to do for them."""
    spare: int = 0
    """Cores that no trial needs."""
    ranked: bool = False
    """Whether it is one of several processes of a trial."""

    @property
    def per_sample(self) -> bool:
        """Whether each sample's draws come from (seed, epoch, its number), so that they are the same with any number of workers.

        On a CPU without workers there is one stream for all draws of a trial.
        """
        return bool(self.workers) or self.ranked or self.device.startswith("cuda")

    def report(self) -> dict[str, Any]:
        """For the record: what digits depend on besides the digest."""
        return {"draws": "per sample"} if self.per_sample else {}

    def loader(self, made: DataLoader[Any], train: bool) -> DataLoader[Any]:
        """The loader that mmengine made, with workers, pinned memory and draws per sample where they belong."""
        if not self.per_sample:
            return made
        count, cuda = self._count(made.dataset), self.device.startswith("cuda")
        dataset, batches = made.dataset, made.batch_sampler
        if train:
            dataset, batches = _Drawing(dataset, self.seed), _Numbered(batches)
        more: dict[str, Any] = {}
        if count:
            more = {"prefetch_factor": _AHEAD, "persistent_workers": train, "worker_init_fn": _alone}
        return DataLoader(dataset, batch_sampler=batches, collate_fn=made.collate_fn, num_workers=count, pin_memory=cuda, **more)

    def _count(self, dataset: Any) -> int:
        if self.workers is not None:
            return self.workers
        if not self.spare or is_remembered(dataset) or (os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free < _SHARED):
            return 0
        return min(self.spare, _MOST)


def is_remembered(dataset: Any) -> bool:
    """Whether all of a dataset's decoded images fit into the memory that its pipeline keeps them in."""
    pipeline = getattr(dataset, "pipeline", None)
    steps = getattr(pipeline, "transforms", [])
    if not steps or not isinstance(steps[0], Remember) or not len(dataset):
        return False
    room = steps[0].free
    with _drawn_from(0):
        dataset[0]
    return (room - steps[0].free) * len(dataset) <= room


def _alone(_worker: int) -> None:
    """A worker computes on one thread; cores are for the others."""
    torch.set_num_threads(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(0)


class _Numbered:
    """The batches of an epoch as (epoch, index): a worker that lives through all epochs learns of the present one so."""

    def __init__(self, batches: Any):
        self.batches = batches
        self.epoch = 0

    def __getattr__(self, name: str) -> Any:
        if name == "batches":  # while it is being copied
            raise AttributeError(name)
        return getattr(self.batches, name)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for number, batch in enumerate(self.batches):
            passed = number // max(len(self), 1)  # of a sampler that never ends
            yield [(self.epoch + passed, index) for index in batch]


class _Drawing(Dataset[Any]):
    """A dataset whose sample (epoch, index) draws from generators seeded by that; a sample that is asked for by its index draws as
    ever."""

    def __init__(self, dataset: Any, seed: int):
        self.dataset: BaseDataset = dataset
        self.seed = seed

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, which: int | tuple[int, int]) -> Any:
        if not isinstance(which, tuple):
            return self.dataset[which]
        epoch, index = which
        with _drawn_from(int(digest_of([self.seed, epoch, index]), 16)):
            return self.dataset[index]


@contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """Seed the generators of Python, NumPy and torch's CPU, and set them back."""
    generator = torch.default_generator
    before = random.getstate(), np.random.get_state(), generator.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    generator.manual_seed(seed % 2**63)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        generator.set_state(before[2])


def begin(loader: DataLoader[Any], epoch: int) -> None:
    """Tell a loader which epoch begins."""
    if isinstance(loader.batch_sampler, _Numbered):
        loader.batch_sampler.epoch = epoch
