"""What a benchmark of any family may say about where the files of a dataset in PASCAL VOC's layout lie, and how it is split."""

from __future__ import annotations

from pydantic import Field

from harness.benchmarks.options import DataOptions


class VocLayout(DataOptions):
    """Images and one PASCAL VOC XML file each."""

    root: str
    images: str = "images"
    """Folder of the images; a file lies in it, or in a subfolder."""
    annotations: str = "annotations"
    train: str | None = None
    """File with the names of the training images, one a line; a split by ``test_fraction`` without it."""
    test: str | None = None
    val: str | None = None
    """File with the names of the validation images; without one, ``val_share`` of the training images."""
    test_fraction: float = Field(default=0.5, gt=0, lt=1)
    """Share of the images for the test where no files say; exact copies of an image, and what ``together`` says, stay on one side."""
    seed: int = Field(default=0, ge=0)
    """Another seed splits differently."""
