"""The Multi-Scene Transformer behind a backbone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.slots import AttentionState, Position


class DecoderLayer(nn.Module):
    """Pre-norm decoder layer of DETR: self-attention of the queries, cross-attention, feed-forward.

    The learned queries are added to the decoder's queries (and to the keys of the self-attention), the position to
    the keys of the cross-attention, neither to any values.
    """

    def __init__(self, dim: int, heads: int, ffn_dim: int, dropout: float):
        super().__init__()
        self.self_attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.expand, self.contract = nn.Linear(dim, ffn_dim), nn.Linear(ffn_dim, dim)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, queries: Tensor, memory: Tensor, keys: Tensor) -> Tensor:
        """(B, S, d) targets, (S, d) learned queries, (B, N, d) memory without and with position -> (B, S, d)."""
        u = self.norm1(x)
        x = x + self.drop(self.self_attention(u + queries, u + queries, u, need_weights=False)[0])
        u = self.norm2(x)
        x = x + self.drop(self.cross_attention(u + queries, keys, memory, need_weights=False)[0])
        x = x + self.drop(self.contract(self.drop(F.gelu(self.expand(self.norm3(x))))))
        return x


class Branch(nn.Module):
    """Encoder and decoder over one feature map; one output vector per scene.

    Args:
        channels: width of the feature map.
        scenes: number of learned scene queries S.
        encoder: plugin of the ``encoder_attention`` slot and its parameters.
        position: plugin of the ``position_encoding`` slot and its parameters, or the module itself, where branches share one.
    """

    def __init__(
        self,
        channels: int,
        scenes: int,
        *,
        dim: int,
        heads: int,
        depth: int,
        ffn_dim: int,
        dropout: float,
        encoder: dict[str, Any],
        position: dict[str, Any] | nn.Module,
    ):
        super().__init__()
        self.project = nn.Conv2d(channels, dim, 1)
        self.queries = nn.Embedding(scenes, dim)
        self.decoder = nn.ModuleList(DecoderLayer(dim, heads, ffn_dim, dropout) for _ in range(depth))
        for parameter in self.decoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        self.decoder_norm, self.encoder_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        # what a method brings comes last, so that all methods start from the same rest of the model
        sizes = {"dim": dim, "heads": heads, "ffn_dim": ffn_dim, "dropout": dropout, "depth": depth}
        self.encoder = nn.ModuleList(slots.build(encoder["plugin"], encoder["params"], **sizes) for _ in range(depth))
        if isinstance(position, dict):
            position = slots.build(position["plugin"], position["params"], dim=dim, heads=heads)
        self.position = position

    def encode(self, x: Tensor, position: Position) -> Tensor:
        """(B, N, d) -> (B, N, d), through all layers and the final normalisation."""
        for layer in self.encoder:
            x = layer(x, position)
        x = self.encoder_norm(x)
        return x

    def forward(self, feature: Tensor, states: list[AttentionState] | None = None) -> Tensor:
        """(B, C, H, W) -> (B, S, d).

        Args:
            states: queries and keys of the encoder's layers are appended, where given.
        """
        position = self.position(*feature.shape[-2:])
        tokens = self.project(feature).flatten(2).transpose(1, 2)
        if states is None:
            memory = self.encode(tokens, position)
        else:
            with slots.observing(lambda _module, values: _append(states, values)):
                memory = self.encode(tokens, position)
        keys = memory if position.additive is None else memory + position.additive
        x: Tensor = torch.zeros_like(self.queries.weight).expand(len(memory), -1, -1)
        for layer in self.decoder:
            x = layer(x, self.queries.weight, memory, keys)
        x = self.decoder_norm(x)
        return x


def _append(states: list[AttentionState], values: dict[str, Any]) -> None:
    if "q" in values and "k" in values:
        states.append(AttentionState(slots.value_of(values["q"]), slots.value_of(values["k"])))


def _regressor(dim: int, hidden: int, outputs: int) -> nn.Sequential:
    first, last = nn.Linear(dim, hidden), nn.Linear(hidden, outputs)
    nn.init.xavier_uniform_(first.weight)
    nn.init.xavier_uniform_(last.weight)
    return nn.Sequential(first, nn.GELU(), last)


class MultiSceneTransformer(nn.Module):
    """Pose of an image in the scene it shows, out of several scenes.

    Two transformers: position from the coarser feature map, orientation from the finer. Each has a learned query per
    scene; a linear score of both branches' outputs classifies the scene, and the chosen scene's two vectors go through
    regressors that all scenes share (the authors' later, "EMS" variant).

    Source: Shavit, Ferens, Keller, "Learning Multi-Scene Absolute Pose Regression with Transformers", ICCV 2021;
    ``models/transposenet/EMSTransPoseNet.py`` of yolish/multi-scene-pose-transformer.

    Args:
        channels: widths of the (fine, coarse) feature maps.
        scenes: number of scenes S.
        depth: layers of the position and of the orientation branch.
        hidden: width of the regressors.
        encoder, position: fillings of the slots, ``{"plugin": ..., "params": {...}}``.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        scenes: int,
        *,
        dim: int,
        heads: int,
        depth: tuple[int, int],
        ffn_dim: int,
        dropout: float,
        hidden: int,
        encoder: dict[str, Any],
        position: dict[str, Any],
    ):
        super().__init__()
        shared: dict[str, Any] = {"dim": dim, "heads": heads, "ffn_dim": ffn_dim, "dropout": dropout}
        shared |= {"encoder": encoder, "position": position}
        self.score = nn.Linear(2 * dim, 1)
        self.position_regressor = _regressor(dim, hidden, 3)
        self.orientation_regressor = _regressor(dim, hidden, 4)
        self.position_branch = Branch(channels[1], scenes, depth=depth[0], **shared)
        if getattr(self.position_branch.position, "shared", False):
            shared["position"] = self.position_branch.position
        self.orientation_branch = Branch(channels[0], scenes, depth=depth[1], **shared)

    def forward(
        self, features: tuple[Tensor, Tensor], scene: Tensor | None = None, states: list[list[AttentionState]] | None = None
    ) -> dict[str, Tensor]:
        """Feature maps (fine, coarse) -> ``position`` (B, 3), ``quaternion`` (B, 4), ``scene`` (B, S) log-probabilities.

        Args:
            features: (B, C_i, H_i, W_i) each.
            scene: (B,) the true scenes in training; the most probable one decides otherwise.
            states: receives one list of attention states per branch, where given.
        """
        kept: list[list[AttentionState]] = [] if states is None else [[], []]
        position = self.position_branch(features[1], kept[0] if kept else None)
        orientation = self.orientation_branch(features[0], kept[1] if kept else None)
        if states is not None:
            states.extend(kept)
        scores = self.score(torch.cat([position, orientation], dim=-1)).squeeze(-1)
        chosen = scores.argmax(-1) if scene is None else scene
        batch = torch.arange(len(chosen), device=chosen.device)
        return {
            "position": self.position_regressor(position[batch, chosen]),
            "quaternion": self.orientation_regressor(orientation[batch, chosen]),
            "scene": scores.log_softmax(-1),
        }
