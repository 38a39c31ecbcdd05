"""What a keypoint benchmark may say about its data, whatever its format, and about its model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.benchmarks.base import DATA, Split
from harness.benchmarks.options import DataOptions, ModelOptions

Side = Annotated[int, Field(ge=16, multiple_of=4)]
Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class KeypointData(DataOptions):
    """Common to all formats."""

    size: tuple[Side, Side] = (64, 64)
    """Width and height of the images the model sees."""
    augment: Literal["none", "affine"] = "none"
    """Training images: ``affine`` shifts, scales and turns them. Frozen backbones want ``none``."""

    @property
    def count(self) -> int:
        """Number of keypoints."""
        raise NotImplementedError

    @property
    def names(self) -> list[str]:
        """Names of the keypoints, in order."""
        return [str(index) for index in range(self.count)]

    @property
    def whole_image(self) -> bool:
        """Whether the model sees whole images and not boxes cut from them."""
        return True

    @property
    def oks_sigmas(self) -> tuple[float, ...] | None:
        """Fall-offs of the object keypoint similarity; without them there is no AP."""
        return None

    @property
    def has_ap(self) -> bool:
        """Whether average precision is reported."""
        return self.oks_sigmas is not None

    def dataset(self, split: Split, pipeline: list[dict[str, Any]], root: str = DATA) -> dict[str, Any]:
        """Config of the dataset class that reads a split."""
        return {
            "type": "KeypointDataset",
            "data_root": root,
            "options": self.model_dump(mode="json"),
            "split": split,
            "pipeline": pipeline,
            "test_mode": split == "test",
        }


class ListedPoints(KeypointData):
    """Formats whose points the entry lists."""

    root: str
    keypoints: Annotated[int, Field(ge=1)] | Names
    """How many points there are, or their names in order."""

    @property
    def count(self) -> int:
        return self.keypoints if isinstance(self.keypoints, int) else len(self.keypoints)

    @property
    def names(self) -> list[str]:
        return super().names if isinstance(self.keypoints, int) else list(self.keypoints)


class KeypointModel(ModelOptions):
    """A backbone with mmpose's heatmap head."""

    deconv: list[Annotated[int, Field(ge=1)]] = [64]
    """Widths of the upsampling layers, each of which doubles the resolution of the map."""
    conv: list[Annotated[int, Field(ge=1)]] = []
    """Widths of 3x3 convolutions after them."""
    sigma: float = Field(default=1.5, gt=0)
    """Standard deviation of the target heatmaps, in cells."""
