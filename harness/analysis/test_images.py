"""The image behind a place in a benchmark's test set: scores of single samples have places, people look at pictures."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import benchmarks, data
from harness.benchmarks.base import Listing, Sample, relative
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.benchmarks import Task
    from harness.catalog import Catalog


@dataclass(frozen=True)
class TestSet:
    """The test samples of a benchmark, in the order in which trials scored them."""

    __test__ = False  # to pytest, whose classes begin so

    task: Task
    folder: Path
    listing: Listing[Any]

    @property
    def names(self) -> Sequence[str]:
        """The file of each sample's image, below the dataset's folder."""
        return [relative(self.listing.image(sample), self.folder) for sample in self.listing.test]

    def sample(self, place: int) -> Sample:
        """One sample with its annotation drawn in.

        Raises:
            DataError: its file cannot be read.
        """
        alone = copy.copy(self.listing)
        alone.test = [self.listing.test[place]]
        try:
            found: list[Sample] = self.task.family.room("pictures").samples(self.folder, self.task.data, alone, 1)
        except (OSError, ValueError) as error:
            raise DataError(f"image {place} of '{self.task.id}' cannot be read: {error}") from error
        return found[0]


def find(catalog: Catalog, benchmark: str, dataset: str, count: int) -> TestSet:
    """The test set that trials were scored on.

    Args:
        dataset: its fingerprint, as the trials recorded it.
        count: samples that they scored.

    Raises:
        HarnessError: the benchmark or its data is not here, or is another one by now; one sentence.
    """
    entry = catalog.benchmarks.get(benchmark)
    if entry is None:
        raise DataError(f"the registry has no benchmark '{benchmark}', so its images are not known.")
    task = benchmarks.task(entry)
    folder = data.locate(task, None)
    if not folder.is_dir():
        raise DataError(f"the images of '{benchmark}' are not on this machine yet; `harness data prepare {benchmark}` makes them.")
    if data.fingerprint(task, None) != dataset:
        raise DataError(f"these trials ran on other data of '{benchmark}' than lies in {folder}.")
    found = TestSet(task, folder, task.listing(folder))
    if len(found.listing.split("test")) != count:
        raise DataError(f"these trials scored {count} samples of '{benchmark}', but {folder} has {len(found.listing.test)}.")
    return found
