"""What a camera-localization benchmark may say, whatever the format of its data."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.benchmarks.options import Length, ModelOptions, Options, ScheduleOptions, ShrunkData

Unit = Literal["m", "cm", "mm", "scene units"]

SCENE_UNITS: Unit = "scene units"
"""Of reconstructions from images alone, whose scale is arbitrary."""


class CameraData(ShrunkData):
    """Options that every camera-localization format shares."""

    in_metres: ClassVar[list[tuple[float, float]]] = [(0.2, 5.0), (0.2, 10.0), (0.3, 5.0), (0.3, 10.0)]
    """Thresholds where the entry gives none and the scale is known."""

    widest: ClassVar[float] = 500.0
    """Metres between the cameras of a scene from which on metres are doubted; Cambridge's Street has about 500."""

    scenes: list[str] = Field(default=["."], min_length=1)
    """Subfolders of the root, one per scene; ``.`` means that the root itself is the only scene."""
    resize: tuple[Length, Length] | Length = 256
    """Length of the image's short side after resizing, or (H, W), whatever the proportions."""
    crop: Length | None = 224
    """Side of the square cut out of the resized image: its centre, or a random place with ``augment``."""
    augment: bool = False
    """Random crops and colour jitter while training; not with a frozen backbone, whose features are cached."""
    equalise: bool = False
    """Draw frames of the smaller scenes again until all scenes weigh as much as the largest."""
    unit: Unit = "m"
    """What positions are given in; centimetres and millimetres are made metres. ``scene units`` where the scale is arbitrary, as in
    reconstructions from images alone: errors are then in these units, and no metric's name says metres."""
    skip_lost: bool = False
    """Leave out frames whose pose is NaN, infinite, zero or missing, as cameras write when they lose track, and say how many."""
    thresholds: list[tuple[float, float]] | None = Field(default=None, min_length=1)
    """(distance, degrees) pairs of the recalls, distances in metres or scene units; by default (0.2, 5), (0.2, 10), (0.3, 5),
    (0.3, 10), for Cambridge Landmarks (1, 5), (1, 10), (2, 5), (2, 10), and none in scene units, which have no customary ones."""
    median: Literal["middle", "lower"] = "middle"
    """Of an even count: the mean of the middle two values, or the lower one, as ``torch.median`` has it."""
    counts: dict[str, tuple[int, int]] = Field(default={})
    """Scene -> frames it must have for training and testing, where the protocol says so."""

    @model_validator(mode="after")
    def _consistent(self) -> CameraData:
        if len({PurePath(scene) for scene in self.scenes}) < len(self.scenes):
            raise ValueError("a scene is listed twice")
        if twice := next((name for name in self.scene_names if self.scene_names.count(name) > 1), None):
            raise ValueError(f"two scenes are called '{twice}', the root's own name; rename one of the two folders")
        if any(PurePath(scene).is_absolute() or ".." in PurePath(scene).parts for scene in self.scenes):
            raise ValueError("scenes are subfolders of the root")
        if unknown := set(self.counts) - set(self.scenes):
            raise ValueError(f"counts name scenes that are not listed: {', '.join(sorted(unknown))}")
        short = self.resize if isinstance(self.resize, int) else min(self.resize)
        if self.crop and self.crop > short:
            raise ValueError(f"crop ({self.crop}) is larger than the resized image ({short})")
        if self.crop is None and isinstance(self.resize, int):
            raise ValueError("without a crop, resize needs (H, W), since images of different proportions share a batch")
        return self

    @property
    def is_metric(self) -> bool:
        """Whether positions are known in metres."""
        return self.unit != SCENE_UNITS

    @property
    def length(self) -> str:
        """The unit of positions as they are read."""
        return "m" if self.is_metric else self.unit

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """(distance, degrees) of the recalls, distances in :attr:`length`."""
        return self.thresholds if self.thresholds is not None else self.in_metres if self.is_metric else []

    @property
    def primary(self) -> str | None:
        return None if self.is_metric else "position_median"

    @property
    def scene_names(self) -> list[str]:
        """Names of the scenes for people and metrics; the root's own name where it is the scene."""
        return [PurePath(self.root or "scene").name if scene == "." else scene for scene in self.scenes]

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W) of the images the model sees."""
        if self.crop:
            return self.crop, self.crop
        return (self.resize, self.resize) if isinstance(self.resize, int) else self.resize


class CameraModel(ModelOptions):
    """Sizes of the Multi-Scene Transformer; the defaults are the authors'."""

    backbone: str | dict[str, Any] = "efficientnet-b0"
    """A name that ``harness list backbones`` shows, or an OpenMMLab backbone config with two ``out_indices`` and
    ``_channels: [fine, coarse]``."""
    dim: int = Field(default=256, ge=8)
    heads: int = Field(default=8, ge=1)
    """8, as the authors' code runs: its configurations say ``nheads: 4`` under a key that is never read."""
    depth: tuple[int, int] = (6, 6)
    """Encoder and decoder layers of the position branch and of the orientation branch."""
    ffn_dim: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    hidden: int = Field(default=1024, ge=1)
    """Width of the regressors."""
    uncertainty: tuple[float, float] = (0.0, -3.0)
    """Initial s_x and s_q: (0, -3) for 7-Scenes, (-3, -6.5) for Cambridge Landmarks."""

    @model_validator(mode="after")
    def _divides(self) -> CameraModel:
        if self.dim % self.heads:
            raise ValueError(f"dim ({self.dim}) is not a multiple of heads ({self.heads})")
        if min(self.depth) < 1:
            raise ValueError("depth: each branch needs at least one layer")
        return self


class FineTune(Options):
    """Second training stage: only the position regressor learns, augmented, from the position loss alone.

    The authors unfreeze the position transformer as well but run it without gradients and in eval mode.
    """

    epochs: int = Field(ge=1, le=100_000)
    lr: float = Field(default=1e-4, gt=0)
    step: int = Field(default=20, ge=1)
    """Epochs between two tenfold reductions of the learning rate."""


class CameraSchedule(ScheduleOptions):
    """``schedule:`` of a camera-localization benchmark."""

    eps: float = Field(default=1e-8, gt=0)
    """Adam's epsilon; the authors use 1e-10."""
    finetune: FineTune | None = None
