"""Training images with their classes, queries and the images that are searched, as every reader yields them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.image_retrieval.scores import Relevance

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""

UNKNOWN = -1
"""Label of a test image that belongs to no class."""


@dataclass(frozen=True)
class Query(Labelled):
    """An image of which others are looked for."""

    relevance: Relevance
    """Places in the database."""
    box: Box | None = None
    """The part of the image that is asked about; all of it by default."""


@dataclass
class Searched(Labels):
    """Training images with their classes. Of the test images the queries stand first, then the database, unless it is the queries.

    Each validation image is a query: what is looked for are the others of its class.
    """

    queries: list[Query] = field(default_factory=list)
    database: list[Labelled] = field(default_factory=list)

    @classmethod
    def trained_on(cls, there: Labels) -> Searched:
        """A listing of the training and validation images in ``there``, without queries yet."""
        return cls(train=there.train, val=there.val, problems=there.problems, left_out=there.left_out, classes=there.classes)

    def search(self, queries: Sequence[Query], database: Sequence[Labelled] | None = None) -> None:
        """Make these the test images; without a database each query is one of it, too."""
        self.queries = [*queries]
        self.database = [*queries] if database is None else [*database]
        self.test = [*queries, *(database or ())]

    @property
    def first(self) -> int:
        """Where the database begins among the test images."""
        return len(self.test) - len(self.database)


def alike(labels: Sequence[int]) -> list[Relevance]:
    """Each of some images as a query among all of them: those with the same label are right, and itself does not count."""
    places: dict[int, list[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(label, []).append(place)
    return [Relevance(easy=tuple(at for at in places[label] if at != place), junk=(place,)) for place, label in enumerate(labels)]


def boxed(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """A box in whole pixels inside an image; Pillow's ``crop`` rounds alike, as the authors' code has it."""
    x0, y0, x1, y1 = map(round, box)
    return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
