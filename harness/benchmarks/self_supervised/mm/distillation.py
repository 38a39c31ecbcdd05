"""iBOT: a student predicts what its teacher, an average of its own past, sees in other views and behind masked tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from harness import slots
from harness.benchmarks.self_supervised.mm.encoder import Encoder, drawn
from harness.benchmarks.self_supervised.mm.pretrainer import Pretrainer
from harness.benchmarks.self_supervised.parts.crops import Jitter, view
from harness.benchmarks.self_supervised.parts.head import ProjectionHead, follow
from harness.benchmarks.self_supervised.parts.losses import Centre, Information, Sinkhorn, cross_entropy, patch_loss, view_loss
from harness.benchmarks.self_supervised.parts.schedules import cosine, warm_up
from harness.errors import TrialError

_TOLD = 0.01
"""Share of the most that outputs could tell of an image, below which they have collapsed."""


class _Network(nn.Module):
    """A transformer and its head."""

    def __init__(self, backbone: dict[str, Any], head: dict[str, int], pooling: dict[str, Any] | None, *, masked: bool):
        super().__init__()
        self.encoder = Encoder(backbone, masked=masked, pooling=pooling)
        self.head = ProjectionHead(self.encoder.backbone.embed_dims, **head)


@MODELS.register_module()
class SelfDistillation(Pretrainer):
    """Zhou et al., ICLR 2022, in the form of ``main_ibot.py`` of bytedance/ibot; masks as in ``main_attmask.py`` of gkakogeorgiou/attmask.

    Two global views of each image are seen by the teacher as they are and by the student with masked tokens, local ones by the student
    only. The teacher's weights follow the student's after each step. With a strategy that masks nothing this is DINO, and with a
    pooling in the place of [CLS] what SimPool's authors compare poolings by (Psomas et al., ICCV 2023).

    Args:
        backbone: see :class:`~harness.benchmarks.self_supervised.mm.encoder.Encoder`.
        masking: ``plugin`` and ``params`` of the slot.
        size: side of the global views.
        views: see :class:`~harness.benchmarks.self_supervised.options.Views`.
        distillation: see :class:`~harness.benchmarks.self_supervised.options.Distillation`.
        drop_path: of the student.
        pooling: ``plugin`` and ``params`` of the slot, where a method fills it.
        mean, std: of red, green and blue, from 0 to 255.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        masking: dict[str, Any],
        size: int,
        views: dict[str, Any],
        distillation: dict[str, Any],
        mean: Sequence[float],
        std: Sequence[float],
        drop_path: float = 0.0,
        pooling: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ):
        super().__init__(mean, std, data_preprocessor)
        self.size, self.views, self.told = size, views, distillation
        head = {name: distillation[name] for name in ("hidden", "bottleneck", "prototypes", "patch_prototypes")}
        self.student = _Network({**backbone, "drop_path_rate": drop_path}, head, pooling, masked=True)
        self.teacher = _Network(backbone, head, pooling, masked=False)
        self._follow(0.0)
        self.teacher.requires_grad_(False)
        self.masking = slots.build(masking["plugin"], masking["params"])
        centred = distillation["balance"] == "centre"
        self.balance: nn.Module = Centre(distillation["prototypes"]) if centred else Sinkhorn()
        patches = distillation["patch_prototypes"] or distillation["prototypes"]
        self.patch_balance: nn.Module = Centre(patches) if centred else Sinkhorn()
        self.momentum, self.temperature, self.patch_temperature = 0.0, 1.0, 1.0
        self._said, self._epoch = Information(), -1
        self.at(0, 1, 0, 1)
        self.remember(self.teacher.encoder)

    @property
    def backbone(self) -> nn.Module:
        return cast(nn.Module, self.student.encoder.backbone)

    @property
    def encoder(self) -> Encoder:
        return self.teacher.encoder

    def at(self, step: int, steps: int, epoch: int, epochs: int) -> None:
        told = self.told
        if epoch != self._epoch:
            self._said, self._epoch = Information(), epoch
        self.momentum = cosine(told["momentum"], 1.0, step, steps)
        self.temperature = warm_up(told["temperature"][0], told["temperature"][1], epoch, told["temperature_epochs"])
        self.patch_temperature = warm_up(told["patch_temperature"][0], told["patch_temperature"][1], epoch, told["temperature_epochs"])
        # without a gradient the optimizer leaves them alone, weight decay and all
        for part in (self.student.head.prototypes, self.student.head.patch_prototypes):
            if part is not None:
                part.requires_grad_(epoch >= told["freeze_prototypes"])

    def stepped(self) -> None:
        self._follow(self.momentum)

    def _follow(self, momentum: float) -> None:
        own, other = self.teacher, self.student
        follow(own.encoder.backbone, other.encoder.backbone, momentum)
        follow(own.head, other.head, momentum)
        if own.encoder.pooling is not None and other.encoder.pooling is not None:
            follow(own.encoder.pooling, other.encoder.pooling, momentum)

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """The losses of one batch, images (B, 3, H, W) from 0 to 1."""
        how, jitter = self.views, Jitter(prob=self.views["jitter"], grey=self.views["grey"])
        whole = torch.cat([view(images, how["area"], self.size, jitter) for _ in range(2)])
        parts = [view(images, how["local_area"], how["local_size"], jitter) for _ in range(how["locals"])]
        return self.compare(self.normalized(whole), self.normalized(torch.cat(parts)) if parts else None)

    def compare(self, whole: Tensor, parts: Tensor | None) -> dict[str, Tensor]:
        """The losses of views that are made.

        Args:
            whole: (2 B, 3, H, W), all first views, then all second ones.
            parts: (L B, 3, h, w) local ones.
        """
        told, count = self.told, len(whole) // 2
        with torch.no_grad():
            tokens, attention = self.teacher.encoder.looked(whole)
            of_class, of_patches = self.teacher.head(tokens)
            teacher, patches = self.balance(of_class, self.temperature), self.patch_balance(of_patches, self.patch_temperature)
            mask = drawn(self.masking, attention)
        if self.training:
            self._said.add(teacher)
        of_class, of_patches = self.student.head(self.student.encoder(whole, mask))
        if parts is not None:
            of_class = torch.cat([of_class, self.student.head.of_class_token(self.student.encoder(parts)[:, 0])])
        cold = told["student_temperature"]
        losses = {
            "loss_class": told["class_weight"]
            * view_loss(torch.unflatten(teacher, 0, (2, count)), torch.unflatten(of_class, 0, (-1, count)) / cold)
        }
        # the mean over two views of as many images is that over both
        losses["loss_patch"] = told["patch_weight"] * patch_loss(patches, of_patches / cold, mask)
        return losses

    def errors(self, images: Tensor, mask: Tensor) -> Tensor:
        told = self.told
        said = self.teacher.head(self.teacher.encoder(images))[1]
        guessed = self.student.head(self.student.encoder(images, mask))[1]
        return cross_entropy(self.patch_balance(said, told["patch_temperature"][1]), guessed / told["student_temperature"])

    def refuse_collapse(self) -> None:
        """See :class:`Pretrainer`; looked at is what the teacher said of its first views in the epoch that ends."""
        said = self._said
        if said.value < _TOLD * said.most:
            how = "the same for all images" if said.entropy < said.most / 2 else "all alike in each image"
            raise TrialError(
                f"the teacher's outputs have collapsed: they are {how}, and have {100 * max(said.value, 0) / said.most:.2g} % of the "
                f"information that {round(math.exp(said.most))} prototypes could have of an image. Try distillation.balance: sinkhorn, a "
                "lower temperature or a longer warm-up"
            )
