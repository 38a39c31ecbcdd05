"""Hard k-means over the tokens of each image."""

from __future__ import annotations

import torch
from harness_plugins.pooling.frame import Pooling, full, one_of, reduce_vectors
from torch import Tensor
from torch.nn import functional as F

from harness.slots import attention_method, observe


@attention_method("k-means", slot="pooling")
class KMeansPooling(Pooling):
    """k cluster means of the tokens, then their maximum (or mean) per channel.

    An empty cluster keeps its centre. Assignments have no gradient, so the iterations run without one and only the
    final means are differentiated, which is exact.

    Formula:
        z = max_j u_j,  u_j = (1/n_j) Σ_{i: j = argmin_j' ‖x_i − u_j'‖} x_i, T times

        U⁰               φ_Q   φ_K   s            A                           φ_V   f
        k of the tokens  id.   id.   −‖x − u‖²    1/n_j on the n_j nearest    id.   f_{-1}

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        0.

    Map:
        ``map`` (B, k, H, W), row j is 1/n_j on its cluster.

    Source:
        Psomas et al., ICCV 2023, table 1. Compared with its equation.

    Args:
        channels: ignored.
        k: the paper prints neither it nor T and no code is released; 3 and 3 are those of its slot attention.
        iterations: T.
        init: ``farthest`` (default, ours: the token farthest from the mean, then each time the one farthest from those
            chosen; deterministic) or ``random`` (the paper: k random tokens, at test too).
        reduce: how the k means become one vector, ``max`` (as SimPool's benchmark does for slots) or ``mean``.
    """

    def __init__(self, channels: int, k: int = 3, iterations: int = 3, init: str = "farthest", reduce: str = "max") -> None:
        super().__init__()
        if k < 1 or iterations < 1:
            raise ValueError(f"k is {k} and iterations is {iterations}; both must be at least 1")
        self.k, self.iterations = k, iterations
        self.start = one_of("init", init, ("farthest", "random"))
        self.stochastic = init == "random"
        self.reduce = one_of("reduce", reduce, ("max", "mean"))

    def init(self, x: Tensor) -> Tensor:
        """Weights (B, k, N) that pick one token for each centre."""
        count, tokens = x.shape[:2]
        if self.start == "random":
            chosen = torch.rand(count, max(tokens, self.k), device=x.device).argsort(1)[:, : self.k] % tokens
            return F.one_hot(chosen, tokens).to(x.dtype)
        nearest = (x - x.mean(1, keepdim=True)).square().sum(-1)
        picks = []
        for _ in range(self.k):
            picks.append(F.one_hot(nearest.argmax(1), tokens).to(x.dtype))
            centre = torch.bmm(picks[-1].unsqueeze(1), x)
            distance = (x - centre).square().sum(-1)
            nearest = distance if len(picks) == 1 else torch.minimum(nearest, distance)
        return torch.stack(picks, 1)

    def similarity(self, q: Tensor, k: Tensor) -> Tensor:
        """−‖x − u‖² without the ‖x‖² that all centres share."""
        return 2 * super().similarity(q, k) - q.square().sum(-1, keepdim=True)

    def attention(self, s: Tensor) -> Tensor:
        """One-hot over the centres, (B, k, N)."""
        return F.one_hot(s.argmax(1), self.k).transpose(1, 2).to(s.dtype)

    @torch.no_grad()
    def assign(self, x: Tensor) -> Tensor:
        """The weights (B, k, N) whose means are the centres after the last iteration."""
        a = self.init(x)
        for _ in range(self.iterations):
            hard = self.attention(self.similarity(torch.bmm(a, x), x))
            members = hard.sum(-1, keepdim=True)
            a = torch.where(members > 0, hard / members.clamp_min(1), a)
        return a

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C)."""
        grid = x.shape[-2:]
        with torch.autocast(x.device.type, enabled=False):
            x = full(x.flatten(2).transpose(1, 2))
            a = self.assign(x)
            observe(self, map=lambda: a.unflatten(-1, grid))
            return reduce_vectors(self.pool(a, x), self.reduce)
