"""SimPool: one attention step that starts from the mean, with LayerNorm and no value projection."""

from __future__ import annotations

from typing import Literal

import torch
from harness_plugins.pooling.frame import Pooling, full, one_of
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("simpool", slot="pooling")
class SimPool(Pooling):
    """SimPool: one attention step whose query is the mean token, with LayerNorm and no value projection.

    Since qᵀ(W_K x') = (W_Kᵀ q)ᵀ x', W_K is applied to the one query and not to the N keys: O(Nd + d²) where the
    formula as written costs O(Nd²). The query starts from the **raw** mean, not from the normalised tokens.

    Formula:
        z = (Σ_i a_i (v_i − min v + ε)^γ)^(1/γ) + β
        a = softmax_i((W_Q u⁰)ᵀ W_K x'_i / √d),  u⁰ = mean_i x_i,  v_i = x'_i = LN(x_i)

        U⁰     φ_Q                φ_X   φ_K        s              A         φ_V   f
        mean   W_Kᵀ W_Q u / √d    LN    identity   dot product    softmax   id.   f_α

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        2d² + 2d (+1 with β).

    Map:
        ``map`` (B, 1, H, W), sums to 1.

    Source:
        Psomas et al., ICCV 2023, eq. 7-12; ``sp.py`` of billpsomas/simpool (there ``squeeze()`` drops the
        batch axis of a single image and γ with several heads returns a wrong shape; neither is repeated here). Compared
        with its equations.

    Args:
        channels: d.
        gamma: γ = (1−α)/2. ``auto`` (default) is the authors' choice: 2.0 for CNNs, 1.25 for transformers. ``None``
            is the plain weighted mean z = Σ a_i v_i (their "no γ").
        min_scope: over what ``min v`` is taken: ``image`` (the paper; default) or ``batch`` (the authors' code,
            where an image's result depends on its batch mates). The minimum is not added back.
        beta: whether to add a learnable scalar β, 0 at first (their DINO ViT; ignored there too without γ).
        eps: ε of the shift.
        norm_eps: ε of the LayerNorm.
        transformer: whether the features are a vision transformer's: ``gamma: auto`` asks, and there W_Q and W_K start from a normal
            distribution of 0.02, truncated at 2, as all linear layers of the authors' transformers do. The benchmark says so.
    """

    query_key = ("query", "key")

    def __init__(
        self,
        channels: int,
        gamma: float | Literal["auto"] | None = "auto",
        min_scope: str = "image",
        beta: bool = False,
        eps: float = 1e-6,
        norm_eps: float = 1e-6,
        transformer: bool = False,
    ) -> None:
        super().__init__()
        if gamma == "auto":
            gamma = 1.25 if transformer else 2.0
        if gamma is not None and gamma <= 0:
            raise ValueError(f"gamma is {gamma}; it must be positive, or null for the plain weighted mean")
        self.gamma, self.eps = gamma, eps
        self.min_scope = one_of("min_scope", min_scope, ("image", "batch"))
        self.batch_independent = min_scope == "image" or gamma is None
        self.norm = nn.LayerNorm(channels, eps=norm_eps)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(channels, channels, bias=False)
        if transformer:
            for linear in (self.query, self.key):
                nn.init.trunc_normal_(linear.weight, std=0.02)
        self.beta = nn.Parameter(torch.zeros(1)) if beta and gamma is not None else None

    def init(self, x: Tensor) -> Tensor:
        """The mean token, (B, 1, d)."""
        return x.mean(1, keepdim=True)

    def inputs(self, x: Tensor) -> Tensor:
        """X' = LN(X)."""
        return self.norm(x)

    def queries(self, u: Tensor) -> Tensor:
        """W_Kᵀ W_Q u / √d: the key map and the scale folded into the query map."""
        return torch.matmul(self.query(u), self.key.weight) * u.shape[-1] ** -0.5

    def pool(self, a: Tensor, v: Tensor) -> Tensor:
        """f⁻¹(A f(V)) with f(v) = (v − min v + ε)^γ."""
        if self.gamma is None:
            return torch.bmm(a, v)
        # In half precision ε^γ vanishes, and with it the gradient of the root becomes infinite.
        with torch.autocast(v.device.type, enabled=False):
            a, v = full(a), full(v)
            low = v.amin((1, 2), keepdim=True) if self.min_scope == "image" else v.min()
            z = torch.bmm(a, (v - low).add_(self.eps).pow(self.gamma)).pow(1 / self.gamma)
        return z if self.beta is None else z + self.beta
