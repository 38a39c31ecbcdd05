"""Disentangled non-local block, with every combination of terms of its ablation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from harness_plugins.blocks.tokens import attend, attention_map, expand, pool, project, score
from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method, mark, observe

Terms = Literal["joint", "pairwise-only", "unary-only", "unary-disentangled", "add-shared-key", "add-disentangled-key"]
Flavour = Literal["mmseg", "seg-bn", "seg-nowd", "det"]


@dataclass(frozen=True)
class _Code:
    """How one of the released codes computes the block."""

    whitening: Literal["channel", "scalar"]
    """What is subtracted from q and k: the mean over positions of each channel, or one mean over channels and positions."""
    scale: float
    """The logits are multiplied by d' to this power."""
    temperature: float
    """The pairwise logits are divided by it."""
    shared_temperature: float
    """The same where the unary term shares the key. The logits mu_q . k_j themselves have neither scale nor temperature."""
    bottleneck: bool
    """g: d -> d/2, then a zero-initialised convolution d/2 -> d over the sum of the terms. Otherwise g: d -> d without
    bias, and a scalar gain, zero at the start, on the pairwise term alone."""
    decays: bool = True
    """Whether the projections of q and k have weight decay."""
    reduction: int = 2
    """d / d' where the method does not say."""


_CODES = {
    "mmseg": _Code("channel", -0.5, 0.05, 0.06, True),
    "seg-bn": _Code("channel", -0.5, 0.05, 0.06, False),
    "seg-nowd": _Code("scalar", 0.0, 1.0, 1.0, False, decays=False),
    "det": _Code("channel", -0.5, 0.05, 0.06, False, reduction=4),
}


@attention_method("dnl", slot="block")
class DisentangledNonLocal(nn.Module):
    """Disentangled non-local block: a whitened pairwise term and a unary term, alone or added.

    The sums are of two softmaxes, each normalised on its own, as all released codes have it: rows sum to 2.
    ``normalisation="joint"`` is the paper's formula read literally, one softmax over the sum of both exponentials.

    Four released codes differ; ``flavour`` chooses among them:

    * ``mmseg`` (default): mmseg's ``DNLHead``. Whitening per channel, logits / √d', temperature 0.05, g: d → d/2,
      output convolution zero at the start (identity). Its released weights have ``norm: true``.
    * ``seg-bn``: ``nonlocal_block.py`` of yinmh17/DNL-Semantic-Segmentation. g: d → d without bias, no output convolution, a gain
      of zero at the start on the pairwise term only: not identity where there is a unary term.
    * ``seg-nowd``: ``nonlocal_block_nowd.py`` of the same, in its Cityscapes setting. Whitening by one scalar, neither scale nor
      temperature, and no weight decay on the projections of q and k, which is what lets the logits grow without them.
    * ``det``: ``nl_gc_block.py`` of Howal/DNL-Object-Detection, which its DNL configurations build: ``seg-bn`` with d' = d/4. (Its
      ``plugins/non_local.py`` multiplies the logits by √d' unless told ``fixbug``; no DNL configuration uses it.)

    All convolutions of the authors' codes start from N(0, 0.01), biases from 0; mmseg leaves the unary one at PyTorch's default.

    ``joint`` has temperature 1. ``add-shared-key`` is in one released code only, ``seg-bn``: its pairwise term has temperature
    0.06 (``mmseg`` and ``det`` follow it), and μ_q · k_j neither scale nor temperature (all flavours). What the authors released as
    the unary network (``unary_block.py``) is ``unary-disentangled`` with flavour ``seg-bn``; ``unary-only`` is the paper's equation.

    Whitening is part of the projections (a mean commutes with them), ``unary-only`` pools x first and then projects one
    vector, and the N × N matrix of the pairwise term is not made on large maps.

    Formula:
        y_i = Σ_j w(q_i, k_j) g(x_j),  z_i = x_i + W_z y_i,  q = W_q x,  k = W_k x
        μ_q, μ_k the means of q, k over positions; s_j = softmax over j

        terms                   w(q_i, k_j)
        joint                   s_j(q_i · k_j), the plain non-local block
        pairwise-only           s_j((q_i − μ_q) · (k_j − μ_k))
        unary-only              s_j(μ_q · k_j), the same for every query
        unary-disentangled      s_j(w_u · x_j + b_u), the same for every query
        add-shared-key          s_j((q_i − μ_q) · (k_j − μ_k)) + s_j(μ_q · k_j)
        add-disentangled-key    s_j((q_i − μ_q) · (k_j − μ_k)) + s_j(w_u · x_j + b_u)

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        4dd' + 3d' + d with an output convolution (``norm``: d more); 2dd' + 2d' + d² + 1 without (``unary``: one fewer);
        ``add-disentangled-key`` d + 1 more; ``unary-disentangled`` d + 1 instead of the 2dd' + 2d' of q and k.

    Map:
        ``attention``, the pairwise softmax (B, 1, N, N), with ``q``, ``k`` (B, 1, N, d') before whitening, and ``map``, the
        unary softmax (B, 1, H, W), each where it has that term; each sums to 1.

    Source:
        Yin, Yao, Cao, Li, Zhang, Lin, Hu, ECCV 2020, eq. 5-9 and table 1; yinmh17/DNL-Semantic-Segmentation,
        Howal/DNL-Object-Detection. Compared with ``mmseg.DNLHead`` as ``_base_/models/dnl_r50-d8.py`` configures it (``norm: true``),
        the whole head's weights copied; the other flavours with their equations.

    Args:
        channels: d.
        terms: the row of the table.
        flavour: which released code is followed.
        reduction: d / d' of q and k (and of g in the flavours that have an output convolution); 2 by default, 4 in ``det``.
        temperature: of the pairwise or joint softmax instead of the flavour's.
        normalisation: ``separate`` or ``joint``, for the two ``add`` forms.
        norm: batch normalisation behind the output convolution, which then has no bias; its gain is zero at the start.

    Raises:
        ValueError: unknown terms or flavour, a joint normalisation of a single term, or ``norm`` without an output convolution.
    """

    def __init__(
        self,
        channels: int,
        terms: Terms = "add-disentangled-key",
        flavour: Flavour = "mmseg",
        reduction: int | None = None,
        temperature: float | None = None,
        normalisation: Literal["separate", "joint"] = "separate",
        norm: bool = False,
    ) -> None:
        super().__init__()
        if flavour not in _CODES:
            raise ValueError(f"unknown flavour '{flavour}'; known: {', '.join(_CODES)}")
        if terms not in Terms.__args__:
            raise ValueError(f"unknown terms '{terms}'; known: {', '.join(Terms.__args__)}")
        if normalisation == "joint" and not terms.startswith("add"):
            raise ValueError(f"normalisation 'joint' needs two terms; '{terms}' is one")
        self.terms, self.flavour, self.normalisation = terms, _CODES[flavour], normalisation
        bottleneck = self.flavour.bottleneck
        if norm and not bottleneck:
            raise ValueError(f"flavour '{flavour}' has no output convolution that `norm` could normalise; leave it out")
        width = max(channels // (reduction or self.flavour.reduction), 1)
        self.g = _small(nn.Conv2d(channels, width if bottleneck else channels, 1, bias=bottleneck))
        self.query_key: tuple[str, ...] = ()
        if terms != "unary-disentangled":
            self.theta, self.phi = (_small(nn.Conv2d(channels, width, 1)) for _ in range(2))
            self.query_key = ("theta", "phi")
            if not self.flavour.decays:
                mark(self, *self.query_key, decay_mult=0)
        if terms.endswith("disentangled-key") or terms == "unary-disentangled":
            self.mask = nn.Conv2d(channels, 1, 1)
            self.query_key += ("mask",)
            if flavour != "mmseg":
                _small(self.mask)
        self.norm = nn.BatchNorm2d(channels) if norm else None
        if bottleneck:
            self.out = nn.Conv2d(width, channels, 1, bias=not norm)
            _start_as_identity(self.out, self.norm)
        elif not terms.startswith("unary"):
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
        if self.terms == "unary-disentangled":
            return self._query_independent(x, score(tokens, self.mask.weight.flatten(), self.mask.bias))
        mean = tokens.mean(-1)
        # the means over positions of theta(x) and phi(x)
        mu_q, mu_k = _on_vector(self.theta, mean), _on_vector(self.phi, mean)
        if self.terms == "unary-only":
            # mu_q . (W_k x_j + b_k) = (W_k^T mu_q) . x_j + mu_q . b_k: one vector per image meets x, no key is computed
            direction, constant = mu_q @ self.phi.weight.flatten(1), (mu_q @ self.phi.bias).unsqueeze(1)
            return self._query_independent(x, score(tokens, direction, constant))
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
            return x + self._normalised(self._output(self._jointly(q, k, v, unary), None).view(x.shape))
        context = None
        if unary is not None:
            context = self._added(torch.bmm(unary.softmax(-1).to(v.dtype).unsqueeze(1), v).squeeze(1))
        return x + self._normalised(self._output(attend(q, k, v, self.scale), context).view(x.shape))

    def _query_independent(self, x: Tensor, logits: Tensor) -> Tensor:
        """The block where a unary term (B, N) is all there is."""
        weights = logits.softmax(-1)
        observe(self, map=lambda: weights.view(len(x), 1, *x.shape[2:]))
        added = self._added(_on_vector(self.g, pool(x.flatten(2), weights)))[..., None, None]
        return x + self._normalised(added.expand_as(x) if self.norm else added)

    def _normalised(self, z: Tensor) -> Tensor:
        """What the block adds to its input."""
        return z if self.norm is None else self.norm(z)

    def _queries_and_keys(self, x: Tensor, mu_q: Tensor, mu_k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Whitened q and k (B, N, d'), and what was taken from k (B, d'). It joins the bias of the projection."""
        if self.terms == "joint":
            return project(x, self.theta), project(x, self.phi), torch.zeros_like(mu_k)
        if self.flavour.whitening == "scalar":
            mu_q, mu_k = (mu.mean(1, keepdim=True).expand_as(mu) for mu in (mu_q, mu_k))
        return project(x, self.theta, -mu_q), project(x, self.phi, -mu_k), mu_k

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


def _small(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution with weights from N(0, 0.01) and no bias at the start."""
    nn.init.normal_(conv.weight, std=0.01)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _start_as_identity(out: nn.Conv2d, norm: nn.BatchNorm2d | None) -> None:
    """Zero at the start, as mmcv has it: the convolution, or the gain of its normalisation."""
    if norm is None:
        nn.init.zeros_(out.weight)
        nn.init.zeros_(out.bias)
    else:
        nn.init.kaiming_normal_(out.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(norm.weight)


def _on_vector(conv: nn.Conv2d, v: Tensor) -> Tensor:
    """A 1x1 convolution on one vector per image, (B, C) -> (B, D); as a convolution it would cost more than it computes."""
    return F.linear(v, conv.weight.flatten(1), conv.bias)
