"""Disentangled non-local block, with every combination of terms of its ablation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from harness_plugins.blocks.tokens import attend, attention_map, expand, pool, project
from torch import Tensor, nn

from harness.slots import attention_method, observe

Terms = Literal["joint", "pairwise-only", "unary-only", "add-shared-key", "add-disentangled-key"]


@dataclass(frozen=True)
class _Flavour:
    """How one of the released codes computes the block."""

    whitening: Literal["channel", "scalar", "crossed"]
    """What is subtracted from q and k: the mean over positions of each channel; one mean over channels and positions;
    from q the mean over channels at each position, from k that over positions."""
    scale: float
    """The logits are multiplied by d' to this power."""
    temperature: float
    """The pairwise logits are divided by it."""
    unary_temperature: float
    """The same for the logits mu_q . k_j."""
    bottleneck: bool
    """g: d -> d/2, then a zero-initialised convolution d/2 -> d over the sum of the terms. Otherwise g: d -> d without
    bias, and a scalar gain, zero at the start, on the pairwise term alone."""


_FLAVOURS = {
    "mmseg": _Flavour("channel", -0.5, 0.05, 0.06, True),
    "seg-bn": _Flavour("channel", -0.5, 0.05, 0.06, False),
    "seg-nowd": _Flavour("scalar", 0.0, 1.0, 1.0, False),
    "det": _Flavour("crossed", 0.5, 0.05, 0.06, True),
}


@attention_method("dnl", slot="block")
class DisentangledNonLocal(nn.Module):
    r"""Disentangled non-local block: y_i = sum_j w(q_i, k_j) g(x_j), z_i = x_i + W_z y_i.

    q = W_q x, k = W_k x, mu_q and mu_k their means over positions, s_j = softmax over j:

    =======================  ==========================================================
    terms                    w(q_i, k_j)
    =======================  ==========================================================
    ``joint``                s_j(q_i . k_j), the plain non-local block
    ``pairwise-only``        s_j((q_i - mu_q) . (k_j - mu_k))
    ``unary-only``           s_j(mu_q . k_j), the same for every query
    ``add-shared-key``       s_j((q_i - mu_q) . (k_j - mu_k)) + s_j(mu_q . k_j)
    ``add-disentangled-key`` s_j((q_i - mu_q) . (k_j - mu_k)) + s_j(w_u . x_j + b_u)
    =======================  ==========================================================

    The sums are of two softmaxes, each normalised on its own, as all released codes have it: rows sum to 2.
    ``normalisation="joint"`` is the paper's formula read literally, one softmax over the sum of both exponentials.

    Four released codes differ; ``flavour`` chooses among them:

    * ``mmseg`` (default): mmseg's ``DNLHead``. Whitening per channel, logits / sqrt(d'), temperature 0.05, g: d -> d/2,
      output convolution zero at the start (identity).
    * ``seg-bn``: ``nonlocal_block.py`` of yinmh17/DNL-Semantic-Segmentation. g: d -> d without bias, no output convolution, a gain
      of zero at the start on the pairwise term only: not identity where there is a unary term.
    * ``seg-nowd``: ``nonlocal_block_nowd.py`` of the same. Whitening by one scalar, neither scale nor temperature.
    * ``det``: ``plugins/non_local.py`` of Howal/DNL-Object-Detection. q is whitened over channels and the logits are multiplied by
      sqrt(d'). That code takes its unary term from a ``ContextBlock``; here it goes through g, as in the others.

    A joint softmax needs no temperature (1), and mu_q . k_j has 0.06, the one value released for it.

    Whitening is part of the projections (a mean commutes with them), the unary term pools x first and then projects one
    vector, and the N x N matrix of the pairwise term is not made on large maps.

    Yin, Yao, Cao, Li, Zhang, Lin, Hu: Disentangled Non-Local Neural Networks, ECCV 2020, eq. 5-9 and table 1.

    Args:
        channels: d.
        terms: see above.
        flavour: see above.
        reduction: d / d' of q and k (and of g in the flavours that have an output convolution).
        temperature: of the pairwise or joint softmax instead of the flavour's.
        normalisation: ``separate`` or ``joint``, for the two ``add`` forms.

    Shapes:
        (B, d, H, W) -> (B, d, H, W). Offers ``attention``, the pairwise softmax (B, 1, N, N), with whitened ``q``, ``k``
        (B, 1, N, d'), and ``map``, the unary softmax (B, 1, H, W), each where it has that term; each sums to 1.

    Parameters:
        4dd' + 3d' + d with an output convolution; 2dd' + 2d' + d^2 + 1 without (``unary-only``: one fewer);
        ``add-disentangled-key`` d + 1 more.

    Raises:
        ValueError: unknown terms or flavour, or a joint normalisation of a single term.
    """

    def __init__(
        self,
        channels: int,
        terms: Terms = "add-disentangled-key",
        flavour: Literal["mmseg", "seg-bn", "seg-nowd", "det"] = "mmseg",
        reduction: int = 2,
        temperature: float | None = None,
        normalisation: Literal["separate", "joint"] = "separate",
    ) -> None:
        super().__init__()
        if flavour not in _FLAVOURS:
            raise ValueError(f"unknown flavour '{flavour}'; known: {', '.join(_FLAVOURS)}")
        if terms not in Terms.__args__:
            raise ValueError(f"unknown terms '{terms}'; known: {', '.join(Terms.__args__)}")
        if normalisation == "joint" and not terms.startswith("add"):
            raise ValueError(f"normalisation 'joint' needs two terms; '{terms}' is one")
        self.terms, self.flavour, self.normalisation = terms, _FLAVOURS[flavour], normalisation
        width = max(channels // reduction, 1)
        bottleneck = self.flavour.bottleneck
        self.theta = nn.Conv2d(channels, width, 1)
        self.phi = nn.Conv2d(channels, width, 1)
        self.g = nn.Conv2d(channels, width if bottleneck else channels, 1, bias=bottleneck)
        for conv in (self.theta, self.phi, self.g):
            nn.init.normal_(conv.weight, std=0.01)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
        if terms == "add-disentangled-key":
            self.mask = nn.Conv2d(channels, 1, 1)
        if bottleneck:
            self.out = nn.Conv2d(width, channels, 1)
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)
        elif terms != "unary-only":
            self.gain = nn.Parameter(torch.zeros(()))
        # whitening takes the biases away again; they are kept since mmseg's weights have them
        cancelled = self.flavour.whitening == "channel" and terms in ("pairwise-only", "add-disentangled-key")
        self.inert = ("theta.bias", "phi.bias") if cancelled else ()
        scale = width**self.flavour.scale
        self.scale = scale / (temperature or (1.0 if terms == "joint" else self.flavour.temperature))
        self.unary_scale = scale / self.flavour.unary_temperature

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        tokens = x.flatten(2)
        mean = tokens.mean(-1)
        unary = self._unary_logits(tokens, mean)
        if self.terms == "unary-only":
            weights = unary.softmax(-1)
            observe(self, map=lambda: weights.view(len(x), 1, *x.shape[2:]))
            return x + self._value_of(pool(tokens, weights))[..., None, None]
        q, k = self._queries_and_keys(tokens, mean)
        v = project(tokens, self.g)
        observe(
            self,
            q=lambda: q.unsqueeze(1),
            k=lambda: k.unsqueeze(1),
            attention=lambda: attention_map(q, k, self.scale),
            **({} if unary is None else {"map": lambda: unary.softmax(-1).view(len(x), 1, *x.shape[2:])}),
        )
        if self.normalisation == "joint":
            y, context = self._jointly(q, k, v, unary), None
        else:
            y = attend(q, k, v, self.scale)
            context = None if unary is None else self._value_of(pool(tokens, unary.softmax(-1)))
        return x + self._output(y, context).view(x.shape)

    def _queries_and_keys(self, x: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        """q and k (B, N, d'), whitened: what is to be subtracted joins the bias of the projection."""
        if self.terms == "joint":
            return project(x, self.theta), project(x, self.phi)
        # the means over positions of theta(x) and phi(x)
        mu_q, mu_k = (conv(mean[..., None, None]).flatten(1) for conv in (self.theta, self.phi))
        if self.flavour.whitening == "scalar":
            mu_q, mu_k = (mu.mean(1, keepdim=True).expand_as(mu) for mu in (mu_q, mu_k))
        k = project(x, self.phi, -mu_k)
        if self.flavour.whitening == "crossed":
            q = project(x, self.theta)
            return q - q.mean(-1, keepdim=True), k
        return project(x, self.theta, -mu_q), k

    def _unary_logits(self, x: Tensor, mean: Tensor) -> Tensor | None:
        """Logits (B, N) of the term that no query changes; ``None`` where there is none."""
        if self.terms == "add-disentangled-key":
            return (self.mask.weight.flatten(1) @ x).squeeze(1) + self.mask.bias
        if self.terms in ("joint", "pairwise-only"):
            return None
        mu_q = self.theta(mean[..., None, None]).flatten(1)
        # mu_q . (W_k x_j + b_k) = (W_k^T mu_q) . x_j + mu_q . b_k: one vector per image meets x, no key is computed
        direction = mu_q @ self.phi.weight.flatten(1)
        logits = torch.bmm(direction.unsqueeze(1), x).squeeze(1) + (mu_q @ self.phi.bias).unsqueeze(1)
        return logits * self.unary_scale

    def _value_of(self, pooled: Tensor) -> Tensor:
        """What a pooled x (B, d) adds to every position, (B, d); the output convolution's bias included."""
        value = self.g(pooled[..., None, None])
        return (self.out(value) if self.flavour.bottleneck else value).flatten(1)

    def _output(self, y: Tensor, context: Tensor | None) -> Tensor:
        """From the pairwise sum (B, N, d' or d) and the unary vector (B, d) to the residual (B, d, N)."""
        if self.flavour.bottleneck:
            # the bias of `out` is in the context already
            return expand(y, self.out, None if context is None else context - self.out.bias)
        z = self.gain * y.transpose(1, 2)
        return z if context is None else z + context.unsqueeze(-1)

    def _jointly(self, q: Tensor, k: Tensor, v: Tensor, unary: Tensor) -> Tensor:
        """One softmax over the 2N logits of both terms: each key stands twice, its second copy sees only a constant query."""
        one = q.new_ones(*q.shape[:2], 1)
        queries = torch.cat([q * self.scale, one], dim=-1)
        pairs = torch.cat([k, torch.zeros_like(one)], dim=-1)
        units = torch.cat([torch.zeros_like(k), unary.to(k.dtype).unsqueeze(-1)], dim=-1)
        return attend(queries, torch.cat([pairs, units], dim=1), torch.cat([v, v], dim=1))
