"""What all hosts of pre-training share: pixels in, a network that is pre-trained, and the one that it was at first."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import HOOKS
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.func import functional_call

from harness import slots
from harness.benchmarks.self_supervised.mm.encoder import Encoder, drawn
from harness.benchmarks.self_supervised.parts.schedules import cosine


class Pretrainer(BaseModel):
    """Base of the hosts.

    Its prediction of an image is a data sample with ``pooled`` (D,), the token that the pre-trained network has for the image (that of
    [CLS], or what a pooling makes of the others), ``untrained`` (D,), that of the network before training, ``mask`` (N,), the tokens that
    the strategy would mask, ``error`` (N,), how wrong each token is said behind that mask, and ``attention`` (N,), where the image's
    token looks.

    Args:
        mean, std: of red, green and blue, from 0 to 255.
    """

    mean: Tensor
    std: Tensor
    masking: Any
    size: int

    def __init__(self, mean: Sequence[float], std: Sequence[float], data_preprocessor: dict[str, Any] | None = None):
        super().__init__(data_preprocessor)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None] / 255, persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None] / 255, persistent=False)
        self._first: dict[str, Tensor] = {}

    @property
    @abstractmethod
    def encoder(self) -> Encoder:
        """The network that pre-training yields."""

    @abstractmethod
    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """The losses of one batch, images (B, 3, H, W) from 0 to 1."""

    @abstractmethod
    def errors(self, images: Tensor, mask: Tensor) -> Tensor:
        """The loss of each token, (B, N), as training has it for masked ones.

        Args:
            images: (B, 3, H, W), as the network wants them.
            mask: (B, N) bool.
        """

    def at(self, step: int, steps: int, epoch: int, epochs: int) -> None:
        """Be told the time: number of the step that begins, of all steps, and the same for epochs."""

    def stepped(self) -> None:
        """Be told that the optimizer has taken a step."""

    def refuse_collapse(self) -> None:
        """Do nothing at the end of an epoch, or end the trial.

        Raises:
            TrialError: what was learnt tells nothing of the images.
        """

    def remember(self, encoder: Encoder) -> None:
        """Keep how a network begins; the copy is no part of the model's state, as it follows from the seed."""
        self._first = {name: value.detach().clone() for name, value in encoder.state_dict().items()}

    def init_weights(self) -> None:
        """Done when it was built."""

    def normalized(self, images: Tensor) -> Tensor:
        """Pixels from 0 to 1, as the network wants them."""
        return (images - self.mean) / self.std

    def forward(self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = "tensor") -> Any:
        if mode == "loss":
            return self.loss(inputs)
        images = self.normalized(inputs)
        if mode == "predict":
            return self._predict(images, data_samples or [])
        tokens, attention = self.encoder.looked(images)
        grid = (inputs.shape[-2] // self.encoder.patch, -1)
        if self.encoder.pooling is None:  # which tells of its own map
            slots.observe(self.encoder, map=lambda: torch.unflatten(attention / attention.sum(dim=-1, keepdim=True), -1, grid))
        return tokens[:, 0]

    def _predict(self, images: Tensor, samples: list[DataSample]) -> list[DataSample]:
        tokens, attention = self.encoder.looked(images)
        first = {name: value.to(images.device) for name, value in self._first.items()}
        untrained = cast(Tensor, functional_call(self.encoder, first, (images,)))[:, 0]
        # each image by itself: what a strategy draws once for a batch would be one number for a whole test otherwise
        mask = torch.cat([drawn(self.masking, attention[i : i + 1]) for i in range(len(attention))])
        fields = {
            "pooled": tokens[:, 0],
            "untrained": untrained,
            "mask": mask,
            "error": self.errors(images, mask),
            "attention": attention.mean(dim=1),
        }
        for name, values in fields.items():
            for sample, value in zip(samples, values.detach().cpu(), strict=True):
                sample.set_field(value, name)
        return samples


@HOOKS.register_module()
class Pretraining(Hook):
    """Tells a :class:`Pretrainer` the time, moves the weight decay, and looks whether it has collapsed.

    Args:
        weight_decay: at first and at the end; of parameters that have none it stays 0.
        patience: share of the training before which no collapse ends it.
    """

    def __init__(self, weight_decay: tuple[float, float] | None = None, patience: float = 0.5):
        self.weight_decay, self.patience = weight_decay, patience

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        _bare(runner).at(runner.iter, runner.max_iters, runner.epoch, runner.max_epochs)
        if self.weight_decay is not None:
            value = cosine(*self.weight_decay, runner.iter, runner.max_iters)
            for group in runner.optim_wrapper.param_groups:
                if group["weight_decay"]:
                    group["weight_decay"] = value

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.optim_wrapper.should_update():
            _bare(runner).stepped()

    def after_train_epoch(self, runner: Any) -> None:
        if runner.epoch + 1 >= self.patience * runner.max_epochs:
            _bare(runner).refuse_collapse()


def _bare(runner: Any) -> Pretrainer:
    return cast(Pretrainer, getattr(runner.model, "module", runner.model))
