"""Deformable DETR: queries that read a few points of several maps."""

from __future__ import annotations

import math
from typing import Any

import torch
from harness_plugins.detectors.parts import ToBox, hidden
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import DeformableDetrTransformerDecoder, DeformableDetrTransformerEncoder, SinePositionalEncoding
from torch import Tensor, nn

from harness import slots
from harness.slots import attention_method


@attention_method("deformable-detr", slot="detector")
class DeformableDETR(nn.Module):
    """Deformable DETR: each position and each query reads a few points of several maps, whose places and weights it predicts.

    No query is compared with any key, so that several maps, of up to thousands of positions, cost no more than they have positions.

    Formula:
        A(q, r) = Σ_heads W_a Σ_l,p a_lp W_v x_l(r + Δ_lp);  a = softmax(W q), Δ = W' q over levels l and points p

        box = σ(MLP(z) + [σ⁻¹(r), 0, 0]), r = σ(W'' query): a centre to begin with

    Shapes:
        [(B, C_i, H_i, W_i), ...], padding (B, H, W) → logits (L, B, Q, K); centre and size as shares of the image (L, B, Q, 4).

    Parameters:
        Those of mmdet's encoder and decoder, a convolution and a group normalisation to d channels for each level, level embeddings,
        2Qd queries, a linear layer to 2 numbers, and the heads (d + 1)K + 2(d² + d) + 4d + 4.

    Map:
        ``attention`` of each layer over the points it reads, (B, h, N, levels · points); of the decoder (B, h, Q, levels · points).

    Source:
        Zhu et al., ICLR 2021; encoder, decoder and positions are mmdet's classes, in the form of ``deformable-detr_r50``: without
        refined boxes and in one stage.

    Args:
        channels: widths of the maps; the harness passes them.
        classes: K; the harness passes it.
        dim: d.
        heads: h.
        layers: L, of the encoder and of the decoder.
        queries: Q.
        levels: maps that are read; those that the backbone does not have are halved from its last.
        points: of each level.
        feedforward: hidden width of the layers.
        dropout: of hidden units and residual branches.
    """

    # mmdet reads sizes of maps from tensors
    compiles = exports = False

    def __init__(
        self,
        channels: tuple[int, ...],
        classes: int,
        dim: int = 256,
        heads: int = 8,
        layers: int = 6,
        queries: int = 300,
        levels: int = 4,
        points: int = 4,
        feedforward: int = 1024,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if dim % heads or dim % 4:
            raise ValueError(f"dim is {dim}; it must be a multiple of the {heads} heads and of 4")
        if levels < 1:
            raise ValueError(f"levels is {levels}; it must be at least 1")
        deformable = {"embed_dims": dim, "num_heads": heads, "num_levels": levels, "num_points": points, "batch_first": True}
        deformable["dropout"] = dropout
        attention = {"embed_dims": dim, "num_heads": heads, "dropout": dropout, "batch_first": True}
        forward = {"embed_dims": dim, "feedforward_channels": feedforward, "ffn_drop": dropout}
        used, groups = channels[-levels:], math.gcd(32, dim)
        shapes = [(width, 1, 1, 0) for width in used] + [(channels[-1], 3, 2, 1)] * (levels > len(used))
        shapes += [(dim, 3, 2, 1)] * (levels - len(shapes))
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, dim, kernel, stride, pad, bias=False), nn.GroupNorm(groups, dim))
            for width, kernel, stride, pad in shapes
        )
        self.given = len(used)
        self.position = SinePositionalEncoding(dim // 2, normalize=True, offset=-0.5)
        self.level = nn.Parameter(torch.randn(levels, dim))
        self.encoder = DeformableDetrTransformerEncoder(layers, {"self_attn_cfg": deformable, "ffn_cfg": forward})
        own: dict[str, Any] = {"self_attn_cfg": attention, "cross_attn_cfg": deformable, "ffn_cfg": forward}
        self.decoder = DeformableDetrTransformerDecoder(layers, own, post_norm_cfg=None, return_intermediate=True)
        self.queries, self.reference = nn.Embedding(queries, 2 * dim), nn.Linear(dim, 2)
        self.classify, self.box = nn.Linear(dim, classes), ToBox(dim)
        self._start()
        for stack in (self.encoder, self.decoder):
            for part in stack.modules():
                if isinstance(part, MultiScaleDeformableAttention):
                    part.register_forward_hook(_sampled, with_kwargs=True)

    def _start(self) -> None:
        """As mmdet's ``DeformableDETR`` and its head do."""
        for stack in (self.encoder, self.decoder):
            for parameter in stack.parameters():
                if parameter.dim() > 1:
                    nn.init.xavier_uniform_(parameter)
            for part in stack.modules():
                if isinstance(part, MultiScaleDeformableAttention):
                    part.init_weights()
        for projection in self.projections:
            nn.init.xavier_uniform_(projection[0].weight)
        nn.init.xavier_uniform_(self.reference.weight)
        nn.init.zeros_(self.reference.bias)
        nn.init.constant_(self.classify.bias, -math.log(99))
        nn.init.zeros_(self.box[-1].weight)
        self.box[-1].bias.data.copy_(torch.tensor([0.0, 0.0, -2.0, -2.0]))

    def forward(self, maps: tuple[Tensor, ...], padding: Tensor) -> tuple[Tensor, Tensor]:
        """Maps and padding -> logits (L, B, Q, K) and boxes (L, B, Q, 4)."""
        given = maps[-self.given :]
        levels = [self.projections[number](x) for number, x in enumerate(given)]
        for number, projection in enumerate(self.projections[self.given :]):
            levels.append(projection(levels[-1] if number else given[-1]))
        padded = [hidden(padding, x) for x in levels]
        positions = [self.position(mask).flatten(2).mT + self.level[number] for number, mask in enumerate(padded)]
        flat = torch.cat([mask.flatten(1) for mask in padded], 1)
        sizes = torch.tensor([tuple(x.shape[-2:]) for x in levels], device=flat.device)
        places = {
            "spatial_shapes": sizes,
            "level_start_index": torch.cat([sizes.new_zeros(1), sizes.prod(1).cumsum(0)[:-1]]),
            "valid_ratios": torch.stack([_seen(mask) for mask in padded], 1),
        }
        x = torch.cat([level.flatten(2).mT for level in levels], 1)
        memory = self.encoder(query=x, query_pos=torch.cat(positions, 1), key_padding_mask=flat, **places)
        # looked up, since counters of operations do not take views of parameters
        table = self.queries(torch.arange(self.queries.num_embeddings, device=x.device)).expand(len(x), -1, -1)
        where, what = table.chunk(2, 2)
        first = self.reference(where)
        objects, _ = self.decoder(
            query=what, query_pos=where, value=memory, key_padding_mask=flat, reference_points=first.sigmoid(), **places
        )
        boxes = self.box(objects)
        return self.classify(objects), torch.cat([boxes[..., :2] + first, boxes[..., 2:]], -1).sigmoid()


def _seen(padded: Tensor) -> Tensor:
    """Shares of the width and height of a map that are no padding, (B, H, W) -> (B, 2)."""
    return torch.stack([(~padded[:, 0]).float().mean(1), (~padded[:, :, 0]).float().mean(1)], 1)


def _sampled(part: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _output: Any) -> None:
    query, position = (args or (kwargs["query"],))[0], kwargs.get("query_pos")
    placed = query if position is None else query + position

    def attention() -> Tensor:
        logits: Tensor = part.attention_weights(placed).unflatten(-1, (part.num_heads, -1))
        return logits.softmax(-1).transpose(1, 2)

    slots.observe(part, attention=attention, queries="positions of several maps, or objects", keys="points")
