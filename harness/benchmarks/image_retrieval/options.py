"""What a benchmark of image retrieval may say about its data, whatever its format, and about its model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.options import ModelOptions


class RetrievalData(ClassificationData):
    """Common to all formats; ``size`` is that of the training images."""

    longest: int | None = Field(default=None, ge=8, le=1 << 15)
    """Longer side of queries and images of the database at most, ``size`` by default; proportions stay as they are, and smaller images
    as large as they are, as what a query is cut to often is."""

    @property
    def graded(self) -> bool:
        """Whether right images are told apart as easy and hard ones."""
        return True

    @property
    def primary(self) -> str | None:
        return None if self.graded else "mAP"


class RetrievalModel(ModelOptions):
    """``model:`` of a benchmark of image retrieval."""

    frozen: bool = True
    """The backbone stays as its ``weights`` are, and training images cannot be augmented; ``false``: it is trained with the pooling."""
    scales: list[Annotated[float, Field(gt=0, le=4)]] = Field(default=[1.0], min_length=1)
    """Times the size of queries and images of the database: the vector is the mean over these. With several, images are looked at in
    every trial."""
    whiten: int = Field(default=0, ge=0, le=1 << 15)
    """Numbers that a vector keeps after PCA whitening, which is learned on the training images; 0: vectors stay as they are pooled."""
