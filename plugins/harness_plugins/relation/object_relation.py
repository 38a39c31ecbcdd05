"""Relations between regions: by what they look like, and by how they lie to each other."""

from __future__ import annotations

from typing import Any

from harness_plugins.encoder.layer import attention_map
from harness_plugins.relation.geometry import relative, waves
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.slots import attention_method


@attention_method("region-self-attention", slot="relation")
class RegionSelfAttention(nn.Module):
    """Multi-head self-attention between the regions of an image, by what they look like alone.

    The object relation module without its geometric weight: what geometry adds is the difference between the two.

    Formula:
        a_mn = softmax over n of q_mᵀ k_n / √d_h in each of h heads;  y_m = f_m + concat over heads of Σ_n a_mn W_V f_n

        q, k, v = W f + b

    Shapes:
        Features of R regions (R, C), their boxes (R, 4) → (R, C).

    Parameters:
        3(C² + C).

    Map:
        ``attention`` (1, h, R, R), with ``q``, ``k`` (1, h, R, C/h) and the ``boxes`` (1, R, 4); rows sum to 1.

    Source:
        "None" among the uses of geometry in table 1 of Hu et al., CVPR 2018.

    Args:
        channels: C.
        relations: h, as many heads; it divides C.
    """

    query_key = ("query", "key")

    def __init__(self, channels: int, relations: int = 16) -> None:
        super().__init__()
        if relations < 1 or channels % relations:
            raise ValueError(f"relations is {relations}; it must divide the {channels} channels")
        self.relations = relations
        self.query, self.key, self.value = (nn.Linear(channels, channels) for _ in range(3))
        start(self)

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(R, C) features and (R, 4) boxes of an image -> (R, C)."""
        return features + related(self, features[None], boxes[None])[0]

    def geometric(self, boxes: Tensor) -> Tensor | None:
        """Logarithms of weights of pairs of boxes, (B, R, 4) -> (B, h, R, R); None where they count for nothing."""
        return None


@attention_method("object-relation-module", slot="relation")
class ObjectRelation(RegionSelfAttention):
    """Object relations: attention between regions that is multiplied by what is learnt of their geometry.

    The authors gather whole features and project each head's after it (a convolution in h groups). The rows of a sum to 1, so
    projecting first is the same, with the same parameters, in O(R²C), not O(h R²C). Keys are all regions; the authors' are those
    that are no ground truth, which a detector does not tell apart here.

    Formula:
        y_m = f_m + concat over h relations of Σ_n a_mn W_V f_n;  a_mn = w_mn exp(q_mᵀ k_n / √d_h) / Σ_l w_ml exp(q_mᵀ k_l / √d_h)

        w_mn = max(ReLU(W_G ε(m, n) + b), 10⁻⁶): ε are sines and cosines, 8 wavelengths each from 1 to 1000, of 100 times
        log(|x_m - x_n|/w_m), log(|y_m - y_n|/h_m), log(w_m/w_n), log(h_m/h_n)

    Shapes:
        Features of R regions (R, C), their boxes (R, 4) → (R, C).

    Parameters:
        3(C² + C) + 64h + h: 3,149,840 for C = 1024, h = 16.

    Map:
        ``attention`` (1, h, R, R), with ``q``, ``k`` (1, h, R, C/h) and the ``boxes`` (1, R, 4); rows sum to 1.

    Source:
        Hu, Gu, Zhang, Dai, Wei, CVPR 2018, equations 2 to 6; ``attention_module_multi_head`` of
        msracver/Relation-Networks-for-Object-Detection: widths and heights with one pixel more, all weights from N(0, 0.01²).

    Args:
        channels: C.
        relations: h; it divides C. 16 in the paper.
        geometry: length of ε, a multiple of 8.
    """

    query_key = RegionSelfAttention.query_key

    def __init__(self, channels: int, relations: int = 16, geometry: int = 64) -> None:
        super().__init__(channels, relations)
        self.geometry = GeometricWeight(relations, geometry)

    def geometric(self, boxes: Tensor) -> Tensor:
        """log w, (B, R, 4) -> (B, h, R, R)."""
        weight: Tensor = self.geometry(boxes)
        return weight


class GeometricWeight(nn.Module):
    """log max(ReLU(W_G ε + b), 10⁻⁶) of all pairs of boxes, (B, R, 4) -> (B, h, R, R)."""

    def __init__(self, relations: int, dim: int = 64) -> None:
        super().__init__()
        if dim < 8 or dim % 8:
            raise ValueError(f"geometry is {dim}; it must be a multiple of 8: sines and cosines of four numbers")
        self.dim = dim
        self.weight = nn.Linear(dim, relations)
        start(self)

    def forward(self, boxes: Tensor) -> Tensor:
        """(B, R, 4) -> (B, h, R, R)."""
        embedded = waves(100 * relative(boxes), self.dim // 4).flatten(-2)
        weight: Tensor = self.weight(embedded)
        return weight.clamp_min(1e-6).log().movedim(-1, 1)


def start(module: nn.Module) -> None:
    """The authors' start: weights from N(0, 0.01²), no biases."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)


def related(module: Any, features: Tensor, boxes: Tensor) -> Tensor:
    """What each region gathers from the others, before it is added; offers the weights to observers.

    Args:
        module: has ``query``, ``key``, ``value``, the number of ``relations`` and ``geometric(boxes)``.
        features: (B, R, C) of B sets of regions.
        boxes: (B, R, 4).

    Returns:
        (B, R, C).
    """
    q, k, v = (
        project(features).unflatten(-1, (module.relations, -1)).transpose(1, 2) for project in (module.query, module.key, module.value)
    )
    bias = module.geometric(boxes)
    bias = None if bias is None else bias.to(q.dtype)
    slots.observe(module, q=q, k=k, attention=lambda: attention_map(q, k, bias), boxes=boxes, queries="regions", keys="regions")
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2)
