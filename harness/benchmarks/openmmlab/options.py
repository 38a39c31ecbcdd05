"""What a benchmark that is an OpenMMLab config may say: the config's own parts as plain data, and a few things about them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from harness.benchmarks.openmmlab.known import DATA_PARTS, ENCODERS, MODELS, SCHEDULE_PARTS, bare
from harness.benchmarks.openmmlab.scores import metrics
from harness.benchmarks.options import DataOptions, HostOptions, TrainingOptions
from harness.errors import did_you_mean


def _known(config: dict[str, Any], parts: tuple[str, ...]) -> dict[str, Any]:
    """``config``, whose parts are all among those that are looked at."""
    for name in config:
        if name not in (*DATA_PARTS, *SCHEDULE_PARTS, "code"):
            raise ValueError(str(did_you_mean(name, parts, "part of a config")).rstrip("."))
    return config


class OpenMMLabData(DataOptions):
    """Loaders, evaluators and what else decides which numbers come out."""

    val_share: ClassVar[float] = 0.0  # type: ignore[misc]  # no option here: the config's own splits are kept
    code: str | None = Field(default=None, exclude=True)
    """The config file, from which all else follows: it is Python, and runs when the benchmark is run (docs/openmmlab.md)."""
    config: dict[str, Any] = {}
    """``train_dataloader``, ``test_evaluator`` and what else of the resolved config is no model and no schedule."""
    returns: dict[str, Literal["higher", "lower"]] = {}
    """Which values of its evaluators are better, for evaluators that the harness does not know; the first ranks."""

    _parts = field_validator("config")(lambda config: _known(config, DATA_PARTS))

    @property
    def primary(self) -> str | None:
        return next((metric.name for metric in metrics(self)), None)

    @property
    def class_names(self) -> list[str]:
        """In the order of labels, where the config names them; a dataset may know them besides."""
        dataset = (self.config.get("test_dataloader") or {}).get("dataset") or {}
        return [str(name) for name in (dataset.get("metainfo") or {}).get("classes") or ()]

    @property
    def config_file(self) -> str:
        return self.code or ""


class ConfigModel(HostOptions):
    """The config's model."""

    config: dict[str, Any] = {}
    pretrained: str | None = None
    """A checkpoint that the config names and this machine does not have: give its file as ``weights.file``, or write ``null`` here to
    start from random values."""
    input_size: tuple[int, int] = (224, 224)
    """(H, W) of an image that is passed through the model once, to find the widths of its maps."""
    encoder_at: str | None = None
    """Path of the list of layers of a transformer's encoder; that of the classes which the harness knows by default."""

    @property
    def encoder(self) -> str | None:
        """Path of the encoder's layers, where there is one."""
        found = MODELS.get(bare(self.config.get("type", "")))
        return self.encoder_at or found or ENCODERS.get(bare((self.config.get("backbone") or {}).get("type", "")))

    def part(self, name: str) -> dict[str, Any]:
        """A part of the model, where it is one mapping."""
        found = self.config.get(name)
        return found if isinstance(found, dict) else {}

    def offers(self, slots: tuple[str, ...]) -> tuple[str, ...]:
        """Blocks go anywhere, poolings in the place of global average pooling, context methods into FCN's head."""
        lacking = set()
        if bare(self.part("neck").get("type", "")) != "GlobalAveragePooling":
            lacking.add("pooling")
        if bare(self.part("decode_head").get("type", "")) != "FCNHead" or not self.part("decode_head").get("num_convs", 2):
            lacking.add("context")
        if self.config and not self.encoder:
            lacking |= {"encoder_attention", "position_encoding", "attention_loss"}
        return tuple(slot for slot in slots if slot not in lacking)


class ConfigSchedule(TrainingOptions):
    """The config's training."""

    config: dict[str, Any] = {}
    """``optim_wrapper``, ``param_scheduler``, ``train_cfg``, ``custom_hooks`` and what else decides how the model is trained."""

    _parts = field_validator("config")(lambda config: _known(config, SCHEDULE_PARTS))
