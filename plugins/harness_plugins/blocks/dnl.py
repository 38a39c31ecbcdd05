"""Disentangled non-local block, with every combination of terms of its ablation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from harness_plugins.blocks.tokens import attend, attention_map, expand, pool, project, score
from torch import Tensor, nn
from torch.nn import functional as F

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
    shared_temperature: float
    """The same where the unary term shares the key. The logits mu_q . k_j themselves have neither scale nor temperature."""
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
    """Disentangled non-local block: a whitened pairwise term and a unary term, alone or added.

    The sums are of two softmaxes, each normalised on its own, as all released codes have it: rows sum to 2.
    ``normalisation="joint"`` is the paper's formula read literally, one softmax over the sum of both exponentials.

    Four released codes differ; ``flavour`` chooses among them:

    * ``mmseg`` (default): mmseg's ``DNLHead``. Whitening per channel, logits / √d', temperature 0.05, g: d → d/2,
      output convolution zero at the start (identity).
    * ``seg-bn``: ``nonlocal_block.py`` of yinmh17/DNL-Semantic-Segmentation. g: d → d without bias, no output convolution, a gain
      of zero at the start on the pairwise term only: not identity where there is a unary term.
    * ``seg-nowd``: ``nonlocal_block_nowd.py`` of the same. Whitening by one scalar, neither scale nor temperature.
    * ``det``: ``plugins/non_local.py`` of Howal/DNL-Object-Detection. q is whitened over channels and the logits are multiplied by
      √d'. That code takes its unary term from a ``ContextBlock``; here it goes through g, as in the others.

    ``joint`` has temperature 1. ``add-shared-key`` is in one released code only, ``seg-bn``: its pairwise term has temperature
    0.06 (``mmseg`` and ``det`` follow it), and μ_q · k_j neither scale nor temperature (all flavours).

    Whitening is part of the projections (a mean commutes with them), ``unary-only`` pools x first and then projects one
    vector, and the N × N matrix of the pairwise term is not made on large maps.

    Formula:
        y_i = Σ_j w(q_i, k_j) g(x_j),  z_i = x_i + W_z y_i,  q = W_q x,  k = W_k x
        μ_q, μ_k the means of q, k over positions; s_j = softmax over j

        terms                   w(q_i, k_j)
        joint                   s_j(q_i · k_j), the plain non-local block
        pairwise-only           s_j((q_i − μ_q) · (k_j − μ_k))
        unary-only              s_j(μ_q · k_j), the same for every query
        add-shared-key          s_j((q_i − μ_q) · (k_j − μ_k)) + s_j(μ_q · k_j)
        add-disentangled-key    s_j((q_i − μ_q) · (k_j − μ_k)) + s_j(w_u · x_j + b_u)

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        4dd' + 3d' + d with an output convolution; 2dd' + 2d' + d² + 1 without (``unary-only``: one fewer);
        ``add-disentangled-key`` d + 1 more.

    Map:
        ``attention``, the pairwise softmax (B, 1, N, N), with ``q``, ``k`` (B, 1, N, d') before whitening, and ``map``, the
        unary softmax (B, 1, H, W), each where it has that term; each sums to 1.

    Source:
        Yin, Yao, Cao, Li, Zhang, Lin, Hu, ECCV 2020, eq. 5-9 and table 1; yinmh17/DNL-Semantic-Segmentation,
        Howal/DNL-Object-Detection.

    Args:
        channels: d.
        terms: the row of the table.
        flavour: which released code is followed.
        reduction: d / d' of q and k (and of g in the flavours that have an output convolution).
        temperature: of the pairwise or joint softmax instead of the flavour's.
        normalisation: ``separate`` or ``joint``, for the two ``add`` forms.

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
        # a bias of k adds the same to all keys, and whitening takes that of q away; kept since the released weights have them
        self.inert = () if normalisation == "joint" else ("phi.bias",)
        if self.flavour.whitening == "channel" and terms in ("pairwise-only", "add-disentangled-key"):
            self.inert = ("theta.bias", "phi.bias")
        own = {"joint": 1.0, "add-shared-key": self.flavour.shared_temperature}.get(terms, self.flavour.temperature)
        self.scale = width**self.flavour.scale / (temperature or own)

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        tokens = x.flatten(2)
        mean = tokens.mean(-1)
        # the means over positions of theta(x) and phi(x)
        mu_q, mu_k = _on_vector(self.theta, mean), _on_vector(self.phi, mean)
        if self.terms == "unary-only":
            # mu_q . (W_k x_j + b_k) = (W_k^T mu_q) . x_j + mu_q . b_k: one vector per image meets x, no key is computed
            direction, constant = mu_q @ self.phi.weight.flatten(1), (mu_q @ self.phi.bias).unsqueeze(1)
            weights = score(tokens, direction, constant).softmax(-1)
            observe(self, map=lambda: weights.view(len(x), 1, *x.shape[2:]))
            return x + self._added(_on_vector(self.g, pool(tokens, weights)))[..., None, None]
        q, k, removed = self._queries_and_keys(tokens, mu_q, mu_k)
        v = project(tokens, self.g)
        unary = None
        if self.terms == "add-disentangled-key":
            unary = score(tokens, self.mask.weight.flatten(), self.mask.bias)
        elif self.terms == "add-shared-key":
            unary = torch.bmm(k, mu_q.unsqueeze(-1)).squeeze(-1) + (mu_q * removed).sum(1, keepdim=True)
        observe(
            self,
            q=lambda: project(tokens, self.theta).unsqueeze(1),
            k=lambda: project(tokens, self.phi).unsqueeze(1),
            attention=lambda: attention_map(q, k, self.scale),
            **({} if unary is None else {"map": lambda: unary.softmax(-1).view(len(x), 1, *x.shape[2:])}),
        )
        if self.normalisation == "joint":
            return x + self._output(self._jointly(q, k, v, unary), None).view(x.shape)
        context = None
        if unary is not None:
            context = self._added(torch.bmm(unary.softmax(-1).to(v.dtype).unsqueeze(1), v).squeeze(1))
        return x + self._output(attend(q, k, v, self.scale), context).view(x.shape)

    def _queries_and_keys(self, x: Tensor, mu_q: Tensor, mu_k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Whitened q and k (B, N, d'), and what was taken from k (B, d'). It joins the bias of the projection."""
        if self.terms == "joint":
            return project(x, self.theta), project(x, self.phi), torch.zeros_like(mu_k)
        if self.flavour.whitening == "scalar":
            mu_q, mu_k = (mu.mean(1, keepdim=True).expand_as(mu) for mu in (mu_q, mu_k))
        k = project(x, self.phi, -mu_k)
        if self.flavour.whitening == "crossed":
            q = project(x, self.theta)
            return q - q.mean(-1, keepdim=True), k, mu_k
        return project(x, self.theta, -mu_q), k, mu_k

    def _added(self, value: Tensor) -> Tensor:
        """What a pooled value (B, d' or d) adds to every position, (B, d); the output convolution's bias included."""
        return _on_vector(self.out, value) if self.flavour.bottleneck else value

    def _output(self, y: Tensor, context: Tensor | None) -> Tensor:
        """From the pairwise sum (B, N, d' or d) and what the unary term adds (B, d) to the residual (B, d, N)."""
        if self.flavour.bottleneck:
            return expand(y, self.out, context)
        z = self.gain * y.transpose(1, 2)
        return z if context is None else z + context.unsqueeze(-1)

    def _jointly(self, q: Tensor, k: Tensor, v: Tensor, unary: Tensor) -> Tensor:
        """One softmax over the 2N logits of both terms: each key stands twice, its second copy sees only a constant query."""
        one = q.new_ones(*q.shape[:2], 1)
        queries = torch.cat([q * self.scale, one], dim=-1)
        pairs = torch.cat([k, torch.zeros_like(one)], dim=-1)
        units = torch.cat([torch.zeros_like(k), unary.to(k.dtype).unsqueeze(-1)], dim=-1)
        return attend(queries, torch.cat([pairs, units], dim=1), torch.cat([v, v], dim=1))


def _on_vector(conv: nn.Conv2d, v: Tensor) -> Tensor:
    """A 1x1 convolution on one vector per image, (B, C) -> (B, D); as a convolution it would cost more than it computes."""
    return F.linear(v, conv.weight.flatten(1), conv.bias)
