"""mmpretrain's ``VisionTransformer`` with what pre-training asks of it: tokens left out, what stands for the image, and where it looks."""

from __future__ import annotations

from typing import Any, cast

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.benchmarks.parts.pooling import PluginPooling
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


class _Raw:
    """Forward pre-hook of the last normalization: the tokens before it."""

    def __init__(self) -> None:
        self.tokens: Tensor | None = None

    def __call__(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.tokens = inputs[0]


class _Map:
    """Observer of a pooling: its attention."""

    def __init__(self) -> None:
        self.found: Tensor | None = None

    def __call__(self, _module: Any, values: dict[str, Any]) -> None:
        if (spatial := slots.value_of(values.get("map"))) is not None:
            self.found = spatial.detach()


class Encoder(nn.Module):
    """A vision transformer whose tokens may be masked, and whose [CLS] token a pooling may replace.

    With a pooling there is no class token at all: the pooling sees the patches as the last layer leaves them, and what it makes of them
    passes the last normalization, as in the transformers of billpsomas/simpool.

    Args:
        backbone: config of mmpretrain's ``VisionTransformer`` with a class token and ``out_type: raw``.
        masked: whether it has a mask token (zeros at first, as in iBOT and BEiT).
        pooling: ``plugin`` and ``params`` of the slot.

    Attributes:
        backbone: the transformer itself, whose state is that of its config.
        patch: side of a token's patch in pixels.
    """

    def __init__(self, backbone: dict[str, Any], *, masked: bool, pooling: dict[str, Any] | None = None):
        super().__init__()
        self.backbone = cast(Any, MODELS.build({**backbone, "with_cls_token": False} if pooling else backbone))
        self.backbone.init_weights()
        self.patch: int = backbone["patch_size"]
        self.mask_token = nn.Parameter(torch.zeros(1, 1, self.backbone.embed_dims)) if masked else None
        self._cover, self._row, self._raw = _Cover(), _Row(self.backbone.layers[-1].attn.num_heads), _Raw()
        self.backbone.patch_embed.register_forward_hook(self._cover)
        self.pooling = PluginPooling(channels=self.backbone.embed_dims, transformer=True, **pooling) if pooling else None
        if self.pooling:
            self.backbone.ln1.register_forward_pre_hook(self._raw)
        else:
            self.backbone.layers[-1].attn.qkv.register_forward_hook(self._row)

    def forward(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, 3, H, W) images to (B, 1 + N, D) tokens, first that of the image: [CLS], or what the pooling makes of the others.

        Args:
            mask: (B, N) bool, tokens that the mask token stands for.
        """
        self._cover.mask, self._cover.token = mask, self.mask_token
        try:
            (tokens,) = self.backbone(images)
            if self.pooling is None:
                return cast(Tensor, tokens)
            assert self._raw.tokens is not None
            patches = self._raw.tokens
        finally:
            self._cover.mask = self._cover.token = self._raw.tokens = None
        grid = (images.shape[-2] // self.patch, -1)
        (pooled,) = self.pooling(torch.unflatten(patches.transpose(1, 2), -1, grid))
        # the pre-hook hears of this pass, too, whose input nobody asks for
        whole = self.backbone.ln1(pooled)
        self._raw.tokens = None
        return torch.cat([whole.unsqueeze(1), tokens], dim=1)

    # a hook tells where [CLS] looks, and a compiled pass leaves out what hooks say
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def looked(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The same without a mask, and the (B, heads, N) attention of [CLS] to the patches in the last block.

        With what [CLS] gives to itself, which is not there, each row sums to 1. A pooling's is its map, resized where it is coarser or
        finer than the patches, as a share of its sum, and uniform where it offers none.
        """
        if self.pooling is not None:
            seen = _Map()
            with slots.observing(seen):
                tokens = self(images)
            count = tokens.shape[1] - 1
            if (spatial := seen.found) is None:
                return tokens, tokens.new_full((len(tokens), 1, count), 1 / count)
            grid = images.shape[-2] // self.patch, images.shape[-1] // self.patch
            if spatial.shape[-2:] != grid:
                spatial = F.interpolate(spatial, grid, mode="bilinear")
            return tokens, F.normalize(spatial.flatten(2), p=1, dim=-1)  # HOW's weighs positions by their lengths
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
