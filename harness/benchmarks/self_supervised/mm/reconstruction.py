"""Masked images restored: SimMIM by a linear layer on all tokens, MAE by a decoder that is given the visible ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from mmengine.registry import MODELS
from mmpretrain.models.utils import build_2d_sincos_position_embedding
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.benchmarks.self_supervised.mm.encoder import Encoder, drawn
from harness.benchmarks.self_supervised.mm.pretrainer import Pretrainer
from harness.benchmarks.self_supervised.parts.crops import Jitter, view
from harness.errors import TrialError


class _Reconstruction(Pretrainer):
    """A network that restores what is masked of one view; masks follow its own attention, without gradients.

    Args:
        backbone, masking, size, views, mean, std: as of :class:`~.distillation.SelfDistillation`.
        neck, head: configs of mmpretrain's decoder and loss.

    Raises:
        TrialError: the strategy never masks anything.
    """

    masked: bool

    def __init__(
        self,
        backbone: dict[str, Any],
        masking: dict[str, Any],
        size: int,
        views: dict[str, Any],
        neck: dict[str, Any],
        head: dict[str, Any],
        mean: Sequence[float],
        std: Sequence[float],
        data_preprocessor: dict[str, Any] | None = None,
    ):
        super().__init__(mean, std, data_preprocessor)
        self.size, self.views = size, views
        self._encoder = Encoder(backbone, masked=self.masked)
        self.neck, self.head = cast(Any, MODELS.build(neck)), cast(Any, MODELS.build(head))
        self.neck.init_weights()
        self.masking = slots.build(masking["plugin"], masking["params"])
        if getattr(self.masking, "masking_prob", None) == 0:
            raise TrialError(
                "the method masks no token (masking_prob: 0), so that nothing is to be restored and nothing would be learnt. "
                "Take another method, or model.host: ibot, which is DINO then"
            )
        self.remember(self._encoder)

    @property
    def backbone(self) -> nn.Module:
        return cast(nn.Module, self._encoder.backbone)

    @property
    def encoder(self) -> Encoder:
        return self._encoder

    def loss(self, images: Tensor) -> dict[str, Tensor]:
        """The loss of one batch, images (B, 3, H, W) from 0 to 1."""
        how = self.views
        seen = self.normalized(view(images, how["area"], self.size, Jitter(prob=how["jitter"], grey=how["grey"])))
        training = self.encoder.training
        self.encoder.eval()
        with torch.no_grad():
            mask = drawn(self.masking, self.encoder.looked(seen)[1])
        self.encoder.train(training)
        return self.restore(seen, mask)

    def restore(self, images: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """The loss of views (B, 3, H, W) that are made, with tokens (B, N) masked."""
        raise NotImplementedError


@MODELS.register_module()
class MaskedPixels(_Reconstruction):
    """Xie et al., CVPR 2022, for a vision transformer: pixels of masked patches by one linear layer, mean absolute difference.

    mmpretrain's ``SimMIMLinearDecoder`` and ``SimMIMHead``; its own ``SimMIM`` is for Swin transformers.
    """

    masked = True

    def restore(self, images: Tensor, mask: Tensor) -> dict[str, Tensor]:
        rows = images.shape[-2] // self.encoder.patch
        restored = self._restored(images, mask)
        if not mask.any():  # of a batch no token is masked: nothing is learnt, and a mean over none would be no number
            return {"loss": 0.0 * restored.sum()}
        return {"loss": self.head.loss(restored, images, torch.unflatten(mask, 1, (rows, -1)))}

    def errors(self, images: Tensor, mask: Tensor) -> Tensor:
        wrong = (self._restored(images, mask) - images).abs().mean(dim=1, keepdim=True)
        return F.avg_pool2d(wrong, self.encoder.patch).flatten(1)

    def _restored(self, images: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, H, W) pixels."""
        rows = images.shape[-2] // self.encoder.patch
        tokens = self.encoder(images, mask)[:, 1:]
        return cast(Tensor, self.neck(torch.unflatten(tokens.transpose(1, 2), 2, (rows, -1))))


@MODELS.register_module()
class MaskedAutoencoder(_Reconstruction):
    """He et al., CVPR 2022: mmpretrain's ``MAEViT``, ``MAEPretrainDecoder`` and ``MAEPretrainHead``, with the masks of a strategy."""

    masked = False

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        backbone = self.encoder.backbone
        # as MAEViT begins
        fixed = build_2d_sincos_position_embedding(backbone.patch_resolution[0], backbone.embed_dims, cls_token=True)
        backbone.pos_embed.data.copy_(fixed)
        backbone.pos_embed.requires_grad_(False)
        nn.init.xavier_uniform_(backbone.patch_embed.projection.weight.view(backbone.embed_dims, -1))
        nn.init.normal_(backbone.cls_token, std=0.02)
        self.remember(self.encoder)

    def restore(self, images: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return {"loss": self.head.loss(self._restored(images, mask), images, mask.float())}

    def errors(self, images: Tensor, mask: Tensor) -> Tensor:
        wrong: Tensor = (self._restored(images, mask) - self.head.construct_target(images)) ** 2
        return wrong.mean(dim=-1)

    def _restored(self, images: Tensor, mask: Tensor) -> Tensor:
        """(B, N, pixels) of all patches.

        Raises:
            TrialError: not as many tokens are masked in each image, or none or all.
        """
        left = (~mask).sum(dim=1)
        if (left != left[0]).any() or not 0 < left[0] < mask.shape[1]:
            raise TrialError(
                f"of {mask.shape[1]} tokens {mask.shape[1] - int(left.max())} to {mask.shape[1] - int(left.min())} are masked in images of "
                "one batch, and the host mae needs as many in each, neither none nor all. Set method.low and method.high to one value, "
                "0.75 say, and method.masking_prob=1"
            )
        backbone = self.encoder.backbone
        # visible tokens first, all in their order
        order = mask.int().argsort(dim=1, stable=True)
        tokens = backbone.patch_embed(images)[0] + backbone.pos_embed[:, 1:]
        tokens = tokens.gather(1, order[:, : int(left[0]), None].expand(-1, -1, tokens.shape[2]))
        token = (backbone.cls_token + backbone.pos_embed[:, :1]).expand(len(images), -1, -1)
        tokens = torch.cat([token, tokens], dim=1)
        for layer in backbone.layers:
            tokens = layer(tokens)
        return cast(Tensor, self.neck(backbone.norm1(tokens), order.argsort(dim=1)))
