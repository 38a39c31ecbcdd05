"""The projection head of DINO and iBOT: from tokens to prototypes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Prototypes(nn.Module):
    """Cosines with K prototypes: x W^T of x and rows of W of length 1 (``weight_norm`` with its gain kept at 1, as both papers train)."""

    def __init__(self, width: int, count: int):
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(width, count, bias=False).weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, F.normalize(self.weight, dim=1, eps=0.0))


class ProjectionHead(nn.Module):
    """Three layers with GELU to a bottleneck of length 1, then prototypes; the [CLS] token may have others than the patches.

    ``iBOTHead`` of bytedance/ibot without normalization layers; Caron et al., ICCV 2021, section 3.1.

    Args:
        width: of the tokens.
        hidden, bottleneck: widths of the head's layers.
        prototypes: K, for the [CLS] token.
        patch_prototypes: those of the patches; 0: they share the [CLS] token's.
    """

    def __init__(self, width: int, hidden: int, bottleneck: int, prototypes: int, patch_prototypes: int = 0):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, bottleneck))
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.prototypes = Prototypes(bottleneck, prototypes)
        self.patch_prototypes = Prototypes(bottleneck, patch_prototypes) if patch_prototypes else None

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1 + N, width) tokens to logits (B, K) of [CLS] and (B, N, K') of the patches."""
        x = F.normalize(self.mlp(tokens), dim=-1)
        return self.prototypes(x[:, 0]), (self.patch_prototypes or self.prototypes)(x[:, 1:])

    def of_class_token(self, token: Tensor) -> Tensor:
        """(B, width) to (B, K): of views whose patches nobody asks for."""
        found: Tensor = self.prototypes(F.normalize(self.mlp(token), dim=-1))
        return found


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move the teacher's parameters towards the student's: t = m t + (1 - m) s."""
    pairs = zip(teacher.parameters(), student.parameters(), strict=True)
    for own, other in pairs:
        own.mul_(momentum).add_(other, alpha=1 - momentum)
