"""The batches of a training epoch: all images but a last one that would stand alone."""

from __future__ import annotations

import pytest

from harness.benchmarks.parts.batches import TrainingBatches


@pytest.mark.parametrize(
    ("images", "batch_size", "sizes"),
    [
        (6, 5, [5]),
        (9, 4, [4, 4]),
        (8, 4, [4, 4]),
        (10, 4, [4, 4, 2]),
        (6, 64, [6]),
        (1, 64, [1]),
        (1, 1, [1]),
        (3, 1, [1, 1, 1]),
        (3, 2, [2]),
    ],
)
def test_a_last_batch_of_one_is_left_out(images, batch_size, sizes):
    batches = TrainingBatches(range(images), batch_size=batch_size)
    assert [len(batch) for batch in batches] == sizes and len(batches) == len(sizes)
    assert [i for batch in batches for i in batch] == [*range(sum(sizes))]
