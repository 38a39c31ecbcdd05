"""Optimal-transport kernel pooling: tokens are shared out among learned references by a Sinkhorn plan."""

from __future__ import annotations

import torch
from harness_plugins.pooling.frame import Pooling, full, one_of, reduce_vectors
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("otk", slot="pooling")
class OptimalTransportPooling(Pooling):
    """Optimal-transport kernel: the tokens are shared out among k learned references by a transport plan.

    In the log domain a Sinkhorn round is a log-softmax over the references followed by one over the tokens (the masses
    are constants that the next step absorbs), so small ε cannot overflow. The last step is over the tokens: each
    reference's weights sum to 1 exactly, a token's to k/N as closely as the rounds converge.

    Two things follow from the marginals. With k = 1 the plan is 1/N: the result is GAP and W gets no gradient.
    And for any k the *mean* over the references is again GAP, Σ_j P_ij = k/N; hence ``reduce: max`` by default.

    Formula:
        z = max_j Σ_i P_ij x_i,  P the entropic transport plan from N tokens (k/N each) to k references (1 each)

        U⁰          φ_Q   φ_K   s                 A                            φ_V   f
        references  id.   id.   x·w or −‖x−w‖²    Sinkhorn(e^{s/ε}), T rounds  id.   f_{-1}

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        kd.

    Map:
        ``map`` (B, k, H, W), each sums to 1.

    Source:
        Mialon et al., ICLR 2021, section 3; claying/OTK; ``other_pool.py`` and ``otk/`` of billpsomas/simpool. Compared with
        its equations.

    Args:
        channels: d.
        k: references (``out_size`` of the authors); simpool's benchmark uses 1.
        eps: ε. 25 as in simpool's benchmark, whose features are not normalised; 0.1 in claying/OTK.
        iterations: T. Enough to converge at ε 25 here; claying/OTK 100.
        similarity: ``dot`` (claying/OTK) or ``l2`` (SimPool's table).
        balanced: ``False`` enforces the references' mass only, which leaves a softmax over the tokens per reference.
            The ``sinkhorn`` that simpool ships does this (the tokens' step is commented out), so that its k = 1 is
            a learned query and not GAP.
        reduce: how the k vectors become one, ``max`` or ``mean``.
    """

    query_key = ("references",)

    def __init__(
        self,
        channels: int,
        k: int = 3,
        eps: float = 25.0,
        iterations: int = 10,
        similarity: str = "dot",
        balanced: bool = True,
        reduce: str = "max",
    ) -> None:
        super().__init__()
        if k < 1 or iterations < 1 or eps <= 0:
            raise ValueError(f"k is {k}, iterations {iterations}, eps {eps}; they must be at least 1, at least 1 and positive")
        self.rounds, self.eps, self.balanced = iterations, eps, balanced
        self.distance = one_of("similarity", similarity, ("dot", "l2"))
        self.reduce = one_of("reduce", reduce, ("max", "mean"))
        self.references = nn.Parameter(torch.empty(k, channels).uniform_(-(k**-0.5), k**-0.5))

    def init(self, x: Tensor) -> Tensor:
        """The references, (B, k, d)."""
        return self.references.expand(x.shape[0], -1, -1)

    def similarity(self, q: Tensor, k: Tensor) -> Tensor:
        """x·w, or −‖x − w‖²."""
        dot = super().similarity(q, k)
        if self.distance == "dot":
            return dot
        return 2 * dot - q.square().sum(-1, keepdim=True) - k.square().sum(-1).unsqueeze(1)

    def attention(self, s: Tensor) -> Tensor:
        """The plan P, (B, k, N)."""
        with torch.autocast(s.device.type, enabled=False):
            plan = full(s) / self.eps
            if self.balanced:
                for _ in range(self.rounds - 1):
                    plan = plan.log_softmax(1).log_softmax(2)
                plan = plan.log_softmax(1)
            return plan.softmax(2)

    def output(self, u: Tensor) -> Tensor:
        """(B, k, d) → (B, d)."""
        return reduce_vectors(u, self.reduce)
