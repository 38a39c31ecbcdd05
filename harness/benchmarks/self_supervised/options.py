"""What a benchmark of self-supervised pre-training may say about its host; its data are those of classification."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.benchmarks.options import IMAGENET_MEAN, IMAGENET_STD, HostOptions, Options, ScheduleOptions

Share = Annotated[float, Field(gt=0, le=1)]


class Views(Options):
    """How an image becomes the views that are compared; all are resized to a square."""

    area: tuple[Share, Share] = (0.25, 1.0)
    """Least and most of the image's area in a global view."""
    locals: int = Field(default=0, ge=0, le=64)
    """Local views of an image, which are not masked and which the teacher does not see."""
    local_size: int = Field(default=16, ge=4, le=1 << 12)
    """Side of a local view in pixels, a multiple of the patch's."""
    local_area: tuple[Share, Share] = (0.05, 0.25)
    jitter: float = Field(default=0.8, ge=0, le=1)
    """Probability that brightness, contrast and saturation of a view change, by up to 40, 40 and 20 %."""
    grey: float = Field(default=0.2, ge=0, le=1)
    """Probability that a view loses its colours."""


class Distillation(Options):
    """iBOT's teacher and heads; without masked tokens that is DINO."""

    prototypes: int = Field(default=256, ge=2, le=1 << 20)
    """Outputs of the head."""
    patch_prototypes: int = Field(default=0, ge=0, le=1 << 20)
    """Outputs for patches; 0: the head of the [CLS] token is shared."""
    hidden: int = Field(default=128, ge=1, le=1 << 14)
    bottleneck: int = Field(default=64, ge=1, le=1 << 14)
    """Widths of the head's layers."""
    balance: Literal["centre", "sinkhorn"] = "centre"
    """What keeps the teacher from one output for all images: a moving centre (DINO, iBOT), or Sinkhorn-Knopp over the batch (SwAV,
    DINOv2), which holds in short trainings, too."""
    momentum: float = Field(default=0.996, ge=0, le=1)
    """Of the teacher's weights at first; 1 at the end, along a cosine."""
    student_temperature: float = Field(default=0.1, gt=0)
    temperature: tuple[float, float] = (0.04, 0.07)
    """Of the teacher's [CLS] outputs: in the first epoch, and after ``temperature_epochs``."""
    patch_temperature: tuple[float, float] = (0.04, 0.07)
    """The same for patches."""
    temperature_epochs: int = Field(default=30, ge=0)
    freeze_prototypes: int = Field(default=1, ge=0)
    """Epochs in which the student's prototypes stay as they are."""
    class_weight: float = Field(default=1.0, ge=0)
    """Weight of DINO's loss over views."""
    patch_weight: float = Field(default=1.0, ge=0)
    """Weight of the loss over masked tokens."""

    @model_validator(mode="after")
    def _temperatures(self) -> Distillation:
        if min(*self.temperature, *self.patch_temperature) <= 0:
            raise ValueError("temperatures are greater than 0")
        if not self.class_weight and not self.patch_weight:
            raise ValueError("class_weight or patch_weight is greater than 0: nothing would be learnt")
        return self


class PretrainedModel(HostOptions):
    """``model:`` of a benchmark of self-supervised pre-training: a vision transformer and what it is pre-trained by."""

    host: Literal["ibot", "simmim", "mae"] = "ibot"
    """``ibot``: self-distillation of views and masked tokens. ``simmim``: the pixels of masked tokens by a linear layer on all tokens.
    ``mae``: the same by a decoder that is given the tokens that are not masked."""
    width: int = Field(default=64, ge=4, le=1 << 13)
    depth: int = Field(default=4, ge=1, le=1 << 7)
    heads: int = Field(default=4, ge=1, le=1 << 6)
    feedforward: int = Field(default=128, ge=4, le=1 << 15)
    patch: int = Field(default=4, ge=1, le=1 << 7)
    """Side of a token's patch in pixels."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Of the student's last layer, rising linearly from 0 at the first; the teacher drops nothing."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Red, green and blue (0 to 255) subtracted from a view."""
    std: tuple[float, float, float] = IMAGENET_STD
    """What the difference is divided by."""
    views: Views = Views()
    distillation: Distillation = Distillation()
    """Of the host ``ibot``."""
    decoder: tuple[int, int, int] = (48, 2, 4)
    """Of the host ``mae``: its decoder's width, layers and heads."""
    normalized_pixels: bool = True
    """Of the host ``mae``: each patch's pixels are predicted after mean and spread of their own are taken away."""

    @model_validator(mode="after")
    def _of_whole_patches(self) -> PretrainedModel:
        if self.weights is not None:
            raise ValueError("pre-training begins without weights: leave them out")
        if self.width % self.heads or self.decoder[0] % self.decoder[2]:
            raise ValueError("a width is a multiple of the number of heads")
        if self.views.locals and self.views.local_size % self.patch:
            raise ValueError(f"views.local_size is {self.views.local_size}, no multiple of the patch of {self.patch} pixels")
        if self.host != "ibot" and self.views.locals:
            raise ValueError("local views are those of the host ibot: set views.locals: 0")
        if self.block_at:
            raise ValueError("there is no slot for blocks: leave block_at out")
        return self

    def offers(self, slots: tuple[str, ...]) -> tuple[str, ...]:
        """Only ``ibot`` learns from what stands for an image, which a pooling makes; the others learn from tokens alone."""
        return slots if self.host == "ibot" else tuple(slot for slot in slots if slot != "pooling")

    def transformer(self, size: int) -> dict[str, Any]:
        """The config of the network for images of ``size`` pixels, without what changes its training only."""
        arch = {"embed_dims": self.width, "num_layers": self.depth, "num_heads": self.heads, "feedforward_channels": self.feedforward}
        return {"type": "mmpretrain.VisionTransformer", "arch": arch, "img_size": size, "patch_size": self.patch, "out_type": "raw"}


class PretrainingSchedule(ScheduleOptions):
    """``schedule:`` of a benchmark of self-supervised pre-training."""

    weight_decay_end: float | None = Field(default=None, ge=0)
    """Weight decay at the end, reached along a cosine from ``weight_decay`` in each step; by default it stays."""
