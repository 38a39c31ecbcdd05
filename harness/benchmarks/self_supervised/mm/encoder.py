"""mmpretrain's ``VisionTransformer`` with what masked pre-training asks of it: tokens left out, and where [CLS] looks."""

from __future__ import annotations

from typing import Any, cast

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from harness.errors import UsageError


class _Cover:
    """Forward hook of the patch embedding, which returns (tokens, grid): masked ones become the mask token, before positions are added."""

    def __init__(self) -> None:
        self.mask: Tensor | None = None
        self.token: Tensor | None = None

    def __call__(self, _module: nn.Module, _inputs: Any, output: tuple[Tensor, Any]) -> tuple[Tensor, Any] | None:
        if self.mask is None or self.token is None:
            return None
        tokens, grid = output
        return torch.where(self.mask.unsqueeze(-1), self.token.to(tokens.dtype), tokens), grid


class _Row:
    """Forward hook of a projection to queries, keys and values side by side: the [CLS] token's attention to the patches."""

    def __init__(self, heads: int):
        self.heads = heads
        self.wanted = False
        self.found: Tensor | None = None

    def __call__(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        if self.wanted:
            q, k, _ = torch.unflatten(output.detach(), -1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            logits = q[:, :, :1] @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
            self.found = logits.softmax(dim=-1)[:, :, 0, 1:]


class Encoder(nn.Module):
    """A vision transformer whose tokens may be masked.

    Args:
        backbone: config of mmpretrain's ``VisionTransformer`` with a class token and ``out_type: raw``.
        masked: whether it has a mask token (zeros at first, as in iBOT and BEiT).

    Attributes:
        backbone: the transformer itself, whose state is that of its config.
        patch: side of a token's patch in pixels.
    """

    def __init__(self, backbone: dict[str, Any], *, masked: bool):
        super().__init__()
        self.backbone = cast(Any, MODELS.build(backbone))
        self.backbone.init_weights()
        self.patch: int = backbone["patch_size"]
        self.mask_token = nn.Parameter(torch.zeros(1, 1, self.backbone.embed_dims)) if masked else None
        self._cover, self._row = _Cover(), _Row(self.backbone.layers[-1].attn.num_heads)
        self.backbone.patch_embed.register_forward_hook(self._cover)
        self.backbone.layers[-1].attn.qkv.register_forward_hook(self._row)

    def forward(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, 3, H, W) images to (B, 1 + N, D) tokens, [CLS] first.

        Args:
            mask: (B, N) bool, tokens that the mask token stands for.
        """
        self._cover.mask, self._cover.token = mask, self.mask_token
        try:
            (tokens,) = self.backbone(images)
        finally:
            self._cover.mask = self._cover.token = None
        return cast(Tensor, tokens)

    def looked(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The same without a mask, and the (B, heads, N) attention of [CLS] to the patches in the last block.

        With what [CLS] gives to itself, which is not there, each row sums to 1.
        """
        self._row.wanted = True
        try:
            tokens = self(images)
            assert self._row.found is not None
            return tokens, self._row.found
        finally:
            self._row.wanted, self._row.found = False, None


def drawn(masking: Any, attention: Tensor) -> Tensor:
    """The mask of a plugin of the slot ``masking``.

    All views of a batch are masked in one call: what a strategy draws once for a batch (AttMask's ratio) is one number for all of them,
    what it draws for each image (the other ratios; whether an image is masked at all) is one for each view, as in the authors' code.

    Args:
        masking: (B, N) attention -> (B, N) bool.
        attention: (B, heads, N).

    Raises:
        UsageError: it returns something else.
    """
    mask: Tensor = masking(attention.mean(dim=1))
    if mask.dtype != torch.bool or mask.shape != (len(attention), attention.shape[-1]):
        name = getattr(masking, "plugin_name", type(masking).__name__)
        shape = len(attention), attention.shape[-1]
        raise UsageError(f"masking '{name}' returned {mask.dtype} of shape {tuple(mask.shape)}; a mask is bool of shape {shape}.")
    return mask
