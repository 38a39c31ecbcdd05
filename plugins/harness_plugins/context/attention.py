"""What the context methods built on mmseg's ``SelfAttentionBlock`` share."""

from __future__ import annotations

from typing import Any

import torch
from harness_plugins.blocks import tokens
from mmseg.models.utils import SelfAttentionBlock
from torch import Tensor

from harness import slots

NORM = {"type": "BN"}
ACT = {"type": "ReLU"}


def attend(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """softmax(scale · q kᵀ) v, no (N_q, N_k) matrix where that is large: q (B,1,N_q,d), k (B,1,N_k,d), v (B,1,N_k,e)."""
    return tokens.attend(q.squeeze(1), k.squeeze(1), v.squeeze(1), scale).unsqueeze(1)


class FusedAttentionBlock(SelfAttentionBlock):
    """mmseg's ``SelfAttentionBlock``, same parameters and output, through fused attention.

    The attention map (B, 1, N_q, N_k) is computed only where somebody asks for it. A projection that queries and keys share runs
    once, so the running averages of its normalisation move once in a training pass, in mmseg twice.

    Args:
        share_key_query: one projection for queries and keys.
        key_downsample: module (B,C,H,W) -> (B,C,M) that pools keys and values; none by default.
        with_out: a zero-initialised output projection, where ``value_out_norm`` is off.
        report: offer q, k and the map to observers.
    """

    def __init__(
        self,
        key_channels: int,
        query_channels: int,
        channels: int,
        out_channels: int,
        *,
        share_key_query: bool = False,
        key_downsample: torch.nn.Module | None = None,
        key_query_num_convs: int = 1,
        with_out: bool = True,
        report: bool = True,
    ):
        super().__init__(
            key_in_channels=key_channels,
            query_in_channels=query_channels,
            channels=channels,
            out_channels=out_channels,
            share_key_query=share_key_query,
            query_downsample=None,
            key_downsample=key_downsample,
            key_query_num_convs=key_query_num_convs,
            key_query_norm=True,
            value_out_num_convs=1,
            value_out_norm=False,
            matmul_norm=True,
            with_out=with_out,
            conv_cfg=None,
            norm_cfg=NORM,
            act_cfg=ACT,
        )
        self.report = report

    def attention_map(self, query_feats: Tensor, key_feats: Tensor) -> Tensor:
        """Rows that sum to 1, (B, 1, N_q, N_k)."""
        q, k = self._projected(query_feats, key_feats)
        return (self.channels**-0.5 * q @ k.mT).softmax(-1)

    def forward(self, query_feats: Tensor, key_feats: Tensor) -> Tensor:
        q, k = self._projected(query_feats, key_feats)
        v = self._keys(self.value_project(key_feats))
        scale = self.channels**-0.5
        if self.report:
            pooled = {} if self.key_downsample is None else {"keys": "pooled regions"}
            slots.observe(self, q=q, k=k, attention=lambda: (scale * q @ k.mT).softmax(-1), **pooled)
        context = attend(q, k, v, scale).squeeze(1).mT.unflatten(2, query_feats.shape[2:])
        return context if self.out_project is None else self.out_project(context)

    def _projected(self, query_feats: Tensor, key_feats: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys; projected once where both share their input and their projection."""
        q = self.query_project(query_feats)
        shared = key_feats is query_feats and self.key_project is self.query_project
        return self._tokens(q), self._keys(q if shared else self.key_project(key_feats))

    def _keys(self, x: Tensor) -> Tensor:
        return self._tokens(x if self.key_downsample is None else self.key_downsample(x))

    @staticmethod
    def _tokens(x: Tensor) -> Tensor:
        """(B, C, ...) -> (B, 1, N, C)."""
        return x.flatten(2).mT.unsqueeze(1)


WHERE = ("slot", "input")
"""Where a module stands that the authors put before the head's first convolution: behind it, as all here do, or there."""


def check_place(at: str) -> None:
    """Refuse what is not in :data:`WHERE`."""
    if at not in WHERE:
        raise ValueError(f"at is {at!r}; choose {' or '.join(WHERE)}")


def options(**given: Any) -> dict[str, Any]:
    """The norm and activation that the heads of mmseg get by default here, with ``given``."""
    return {"norm_cfg": NORM, "act_cfg": ACT, **given}
