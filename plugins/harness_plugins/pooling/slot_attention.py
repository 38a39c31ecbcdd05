"""Slot attention: slots compete for the tokens and are refined by a recurrent update."""

from __future__ import annotations

import torch
from harness_plugins.pooling.frame import Pooling, one_of, reduce_vectors
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("slot-attention", slot="pooling")
class SlotAttention(Pooling):
    """Slot attention: S slots compete for the tokens in T rounds and are refined by a recurrent update.

    W_K and W_V act on the S queries and the S weighted means and not on the N tokens:
    qᵀ(W_K x + b) = (W_Kᵀ q)ᵀ x + qᵀb and Σ a_i (W_V x_i + b) = W_V Σ a_i x_i + b. O(T·S·(Nd + d²)), not O(Nd²).

    Formula:
        A = softmax over slots of q kᵀ/√d, renormalised over tokens;  u ← GRU(A v, u);  u ← u + MLP(LN(u));  z = max over slots

        U⁰         φ_Q        φ_X   φ_K   s                   A                              φ_V   f        φ_U
        N(μ, σ²)   W_Q LN     LN    W_K   dot product / √d    (softmax_S + ε) / Σ_tokens     W_V   f_{-1}   GRU, MLP

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        3d² (+3d) + GRU 6d² + 6d + MLP 2dm + m + d + three LN 6d + μ, σ 2d, with m = max(d, 128).

    Map:
        ``map`` (B, S, H, W), each slot's weights sum to 1.

    Source:
        Locatello et al., NeurIPS 2020, algorithm 1; ``SlotPooling`` of billpsomas/simpool. Compared with its equations.

    Args:
        channels: d.
        slots: S; 3 in simpool's ``SlotPooling``.
        iterations: T; 3 there too.
        noise: ``fixed-at-eval`` (default): slots start from random noise in training and from one fixed draw in
            evaluation, so that an evaluation repeats. ``always``: random in evaluation too (the authors). Starting
            from μ alone is not offered: equal slots would stay equal, and the result would be a plain mean.
        flavour: ``simpool``: σ = exp(log σ) with Xavier-initialised log σ, linears with bias (also later versions of
            lucidrains/slot-attention). ``lucidrains-early``: σ itself normal-initialised and unconstrained, no biases.
        eps: ε, added before the renormalisation.
        reduce: how the slots become one vector, ``max`` (simpool) or ``mean``.
    """

    query_key = ("query", "key")

    def __init__(
        self,
        channels: int,
        slots: int = 3,
        iterations: int = 3,
        noise: str = "fixed-at-eval",
        flavour: str = "simpool",
        eps: float = 1e-8,
        reduce: str = "max",
    ) -> None:
        super().__init__()
        if slots < 1 or iterations < 1:
            raise ValueError(f"slots is {slots} and iterations is {iterations}; both must be at least 1")
        self.iterations, self.eps = iterations, eps
        self.stochastic = one_of("noise", noise, ("fixed-at-eval", "always")) == "always"
        self.reduce = one_of("reduce", reduce, ("max", "mean"))
        self.exponential = one_of("flavour", flavour, ("simpool", "lucidrains-early")) == "simpool"
        self.mu = nn.Parameter(torch.randn(1, 1, channels))
        sigma = torch.empty(1, 1, channels)
        self.sigma = nn.Parameter(nn.init.xavier_uniform_(sigma) if self.exponential else nn.init.normal_(sigma))
        self.query, self.key, self.value = (nn.Linear(channels, channels, bias=self.exponential) for _ in range(3))
        self.gru = nn.GRUCell(channels, channels)
        hidden = max(channels, 128)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels))
        self.norm_input, self.norm_slots, self.norm_mlp = (nn.LayerNorm(channels) for _ in range(3))
        self.register_buffer("noise", torch.randn(1, slots, channels, generator=torch.Generator().manual_seed(0)))

    def init(self, x: Tensor) -> Tensor:
        """μ + σ·noise, (B, S, d)."""
        noise = self.noise.expand(x.shape[0], -1, -1)
        if self.training or self.stochastic:
            noise = torch.randn_like(noise)
        return self.mu + (self.sigma.exp() if self.exponential else self.sigma) * noise

    def inputs(self, x: Tensor) -> Tensor:
        """LN(X)."""
        return self.norm_input(x)

    def queries(self, u: Tensor) -> Tensor:
        """W_Q LN(u) / √d."""
        return self.query(self.norm_slots(u)) * u.shape[-1] ** -0.5

    def similarity(self, q: Tensor, k: Tensor) -> Tensor:
        """qᵀ(W_K x + b), (B, S, N); the bias counts, since the softmax compares slots."""
        s = super().similarity(torch.matmul(q, self.key.weight), k)
        return s if self.key.bias is None else s + torch.matmul(q, self.key.bias).unsqueeze(-1)

    def attention(self, s: Tensor) -> Tensor:
        """Softmax over the slots, then weights that sum to 1 over the tokens."""
        shares = s.softmax(1) + self.eps
        return shares / shares.sum(-1, keepdim=True)

    def pool(self, a: Tensor, v: Tensor) -> Tensor:
        """W_V Σ a_i x_i + b, (B, S, d)."""
        return self.value(super().pool(a, v))

    def update(self, z: Tensor, u: Tensor) -> Tensor:
        """GRU with the weighted mean as input and the slot as state, then a residual MLP."""
        u = self.gru(z.flatten(0, 1), u.flatten(0, 1)).view_as(u)
        return u + self.mlp(self.norm_mlp(u))

    def output(self, u: Tensor) -> Tensor:
        """(B, S, d) → (B, d)."""
        return reduce_vectors(u, self.reduce)
