"""Images with their classes, as every reader yields them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.benchmarks.base import Listing, Problem


@dataclass(frozen=True)
class Labelled:
    """An image and its class."""

    file: Path
    label: int


@dataclass
class Labels(Listing[Labelled]):
    """Images of the splits in a fixed order: by class, then by path."""

    classes: list[str] = field(default_factory=list)
    """Names in label order."""

    def files_of(self, sample: Labelled) -> tuple[Path, ...]:
        return (sample.file,)

    def stratum(self, sample: Labelled) -> int:
        return sample.label

    def looked_at(self) -> Iterator[Problem]:
        """What a check finds in the pictures that the samples were taken from, where they are others than the samples' own."""
        yield from ()
