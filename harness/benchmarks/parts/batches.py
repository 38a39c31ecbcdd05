"""The batches of a training epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import islice
from typing import Any, cast

from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler


@DATA_SAMPLERS.register_module()
class TrainingBatches(BatchSampler):
    """Batches in the sampler's order; a last one of a single image is left out, unless it is the only one.

    Batch normalization behind a global pooling has a single value per channel then, which torch refuses, and elsewhere the
    statistics of one image would weigh as much as those of a whole batch. The rule holds for every method, so that all see the
    same images; the order is another in each epoch, and so is the image left out.
    """

    def __init__(self, sampler: Any, batch_size: int):
        super().__init__(sampler, batch_size, drop_last=False)

    def __iter__(self) -> Iterator[list[int]]:
        yield from islice(super().__iter__(), len(self))

    def __len__(self) -> int:
        # of several processes each has a part of the batch, and all together decide
        processes = getattr(self.sampler, "world_size", 1)
        images = len(cast(Any, self.sampler).dataset) if processes > 1 else len(cast(Sized, self.sampler))
        count, rest = divmod(images, self.batch_size * processes)
        return count + (rest > 1 or (rest == 1 and count == 0))
