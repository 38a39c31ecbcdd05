"""The generic pooling frame of SimPool: every pooling method is a choice of the same eight steps.

Source: Psomas et al., "Keep It SimPool: Who Said Supervised Transformers Suffer from Attention Deficit?",
ICCV 2023, section 3 (algorithm 1 and table 1). With tokens X (B, N, d), N = H·W, and k pooled vectors U:

======================  ================================  =========================================
step                    here                              default
======================  ================================  =========================================
initial vectors         U⁰ = ``init(X)``                  none (the method compares with nothing)
input map φ_X           X = ``inputs(X)``                 identity
query map φ_Q           Q = ``queries(U)``                identity
key map φ_K             K = ``keys(X)``                   identity
similarity s            S = ``similarity(Q, K)``          dot product Q Kᵀ
attention h             A = ``attention(S)``              uniform without vectors to compare with, else softmax
value map φ_V           V = ``values(X)``                 identity
pooling function f_α    Z = f⁻¹(A f(V)) = ``pool(A, V)``  f_{-1}(x) = x, the weighted mean
output map φ_U          U = ``update(Z, U)``              Z replaces U
======================  ================================  =========================================

f_α(x) = x^((1-α)/2), or ln x for α = 1; α = -1 is the mean and α → -∞ the maximum. The table calls the
exponent γ = (1-α)/2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.slots import observe


class Pooling(nn.Module):
    """(B, C, H, W) → (B, C) by the steps of the frame; a method overrides those in which it differs.

    Shapes: X, K, V (B, N, C); U, Q, Z (B, k, C); S, A (B, k, N). A is ``None`` where it is uniform, so that
    a mean stays a mean. The attention map is offered as (B, k, H, W).
    """

    iterations: int = 1

    def init(self, x: Tensor) -> Tensor | None:
        """U⁰ (B, k, C) from the tokens as they come, or ``None``."""
        return None

    def inputs(self, x: Tensor) -> Tensor:
        """φ_X, once for the keys and the values."""
        return x

    def queries(self, u: Tensor) -> Tensor:
        """φ_Q."""
        return u

    def keys(self, x: Tensor) -> Tensor:
        """φ_K."""
        return x

    def similarity(self, q: Tensor, k: Tensor) -> Tensor:
        """S (B, k, N)."""
        return torch.bmm(q, k.transpose(1, 2))

    def attention(self, s: Tensor) -> Tensor:
        """A (B, k, N); each row sums to 1 unless the method says otherwise."""
        return s.softmax(-1)

    def values(self, x: Tensor) -> Tensor:
        """φ_V."""
        return x

    def pool(self, a: Tensor | None, v: Tensor) -> Tensor:
        """f⁻¹(A f(V)), (B, k, C)."""
        # The tokens are a transposed view; a mean over the memory's own last axis keeps its gradient in place.
        return v.transpose(1, 2).mean(-1).unsqueeze(1) if a is None else torch.bmm(a, v)

    def update(self, z: Tensor, u: Tensor | None) -> Tensor:
        """φ_U."""
        return z

    def output(self, u: Tensor) -> Tensor:
        """The k vectors as one, (B, k, C) → (B, C)."""
        return u.squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """Pool a feature map (B, C, H, W) into (B, C)."""
        grid = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2)
        u, a = self.init(x), None
        x = self.inputs(x)
        keys, values = self.keys(x), self.values(x)
        for _ in range(self.iterations):
            if u is not None:
                a = self.attention(self.similarity(self.queries(u), keys))
            u = self.update(self.pool(a, values), u)
        observe(self, map=lambda: self.map(a, x).unflatten(-1, grid))
        return self.output(u)

    def map(self, a: Tensor | None, x: Tensor) -> Tensor:
        """The attention map (B, k, N); uniform attention is 1/N everywhere."""
        return x.new_full((x.shape[0], 1, x.shape[1]), 1 / x.shape[1]) if a is None else a


def reduce_vectors(u: Tensor, how: str) -> Tensor:
    """k pooled vectors (B, k, C) as one (B, C): their ``max`` per channel, or their ``mean``."""
    return u.amax(1) if how == "max" else u.mean(1)


def one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    """``value``, if it is one of ``choices``.

    Raises:
        ValueError: it is not; the sentence names the parameter and the choices.
    """
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; choose {' or '.join(repr(c) for c in choices)}")
    return value


def full(x: Tensor) -> Tensor:
    """``x`` in float32 if it is in half precision; powers, roots and exponentials of sums need the range."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
