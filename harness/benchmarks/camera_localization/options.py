"""Option types of camera-localization benchmarks, and the names of their metrics."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import DataOptions, ModelOptions, Options, ScheduleOptions

INDOOR = ((0.2, 5.0), (0.2, 10.0), (0.3, 5.0), (0.3, 10.0))
OUTDOOR = ((1.0, 5.0), (1.0, 10.0), (2.0, 5.0), (2.0, 10.0))


def recall_name(metres: float, degrees: float) -> str:
    """Name of the recall within both thresholds, e.g. ``recall_0.2m_5deg``."""
    return f"recall_{metres:g}m_{degrees:g}deg"


class CameraData(DataOptions):
    """Options that every camera-localization format shares."""

    scenes: list[str] = Field(default=["."], min_length=1)
    """Subfolders of the root, one per scene; ``.`` means that the root itself is the only scene."""
    resize: tuple[int, int] | int = 256
    """Length of the image's short side after resizing, or (H, W), whatever the proportions."""
    crop: int | None = 224
    """Side of the square cut out of the resized image: its centre, or a random place with ``augment``."""
    augment: bool = False
    """Random crops and colour jitter while training; not with a frozen backbone, whose features are cached."""
    equalise: bool = False
    """Draw frames of the smaller scenes again until all scenes weigh as much as the largest."""
    thresholds: list[tuple[float, float]] = Field(default=list(INDOOR), min_length=1)
    """(metres, degrees) pairs of the recalls."""
    median: Literal["middle", "lower"] = "middle"
    """Of an even count: the mean of the middle two values, or the lower one, as ``torch.median`` has it."""
    counts: dict[str, tuple[int, int]] = Field(default={})
    """Scene -> frames it must have for training and testing, where the protocol says so."""

    @model_validator(mode="after")
    def _consistent(self) -> CameraData:
        if len(set(self.scenes)) < len(self.scenes):
            raise ValueError("a scene is listed twice")
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
    def scene_names(self) -> list[str]:
        """Names of the scenes for people and metrics; the root's own name where it is the scene."""
        return [PurePath(self.root or "scene").name if scene == "." else scene for scene in self.scenes]

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W) of the images the model sees."""
        return (self.crop, self.crop) if self.crop else tuple(self.resize)


class SevenScenesData(CameraData):
    """Official 7-Scenes layout: ``seq-XX/frame-*.color.png`` (or .jpg) and ``.pose.txt``, ``TrainSplit.txt``, ``TestSplit.txt``."""


class RoomsData(CameraData):
    """Generated rooms, written in the 7-Scenes layout."""

    rooms: int = Field(default=3, ge=1, le=16)
    train: int = Field(default=120, ge=2)
    """Training frames per room."""
    test: int = Field(default=50, ge=2)
    """Test frames per room."""
    size: int = Field(default=64, ge=32, le=512)
    """Side of the square images in pixels."""
    posters: int = Field(default=5, ge=0, le=8)
    """Posters per wall; without them a control: only corners and shading tell the pose."""
    scenes: list[str] = Field(default=[])
    resize: tuple[int, int] | int = 64
    crop: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _follow(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        rooms, size = given.get("rooms", 3), given.get("size", 64)
        if isinstance(rooms, int):
            given = {"scenes": [f"room-{index + 1}" for index in range(min(rooms, 16))], **given}
        return {"resize": (size, size), **given} if isinstance(size, int) else given


class CambridgeData(CameraData):
    """Cambridge Landmarks: ``<scene>/dataset_train.txt`` and ``dataset_test.txt`` beside the frames."""

    thresholds: list[tuple[float, float]] = Field(default=list(OUTDOOR), min_length=1)


class HoldOut(CameraData):
    """Formats that know no test split of their own."""

    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the frames, the last ones by name, that is held out for testing where the files name no split.

    One block, not every n-th frame: neighbours of a video are almost the same image.
    """


class TransformsData(HoldOut):
    """``transforms.json`` of instant-ngp and nerfstudio, or ``transforms_train.json`` and ``transforms_test.json``."""


class ColmapData(HoldOut):
    """A COLMAP text model: ``images.txt`` in the scene's folder, ``sparse`` or ``sparse/0``; frames in ``images``."""

    images: str = "images"
    """Folder of the frames inside the scene's folder."""


class CameraModel(ModelOptions):
    """Sizes of the Multi-Scene Transformer; the defaults are the authors'."""

    backbone: str | dict[str, Any] = "efficientnet-b0"
    """A name of ``BACKBONES`` here, or an OpenMMLab backbone with two ``out_indices`` and ``_channels: [fine, coarse]``."""
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

    epochs: int = Field(ge=1)
    lr: float = Field(default=1e-4, gt=0)
    step: int = Field(default=20, ge=1)
    """Epochs between two tenfold reductions of the learning rate."""


class CameraSchedule(ScheduleOptions):
    """``schedule:`` of a camera-localization benchmark."""

    eps: float = Field(default=1e-8, gt=0)
    """Adam's epsilon; the authors use 1e-10."""
    finetune: FineTune | None = None
