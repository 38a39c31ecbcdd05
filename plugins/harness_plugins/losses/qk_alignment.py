"""Query-key alignment: a training loss that draws the queries' and the keys' regions together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.slots import AttentionState, attention_method


@attention_method("qk-alignment-loss", slot="attention_loss")
class QueryKeyAlignment(nn.Module):
    """Mean distance between the average query and the average key of each image, layer and head.

    The plain norm, not its square, with gradients to both sides. q and k (d_h wide) are taken after the bias and before
    1/√d_h, from inputs that contain the position. One value per encoder; the values of several encoders are added.

    Formula:
        L = weight / (B L h) · Σ_{b,l,a} ‖mean_i q_i − mean_j k_j‖_2

    Shapes:
        L states with q, k (B, h, N, d_h) each → scalar.

    Parameters:
        0.

    Map:
        None: a loss. It reads the queries and keys that the encoder layers offer.

    Source:
        Lee, Kim, Heo, NeurIPS 2024; ``models/transposenet/attention.py`` and ``main.py`` of dlalth557/ActMST (weight 0.1 in all
        configurations).

    Args:
        weight: λ, the weight of the loss beside those of the task.
    """

    def __init__(self, weight: float = 0.1):
        super().__init__()
        self.weight = weight

    def forward(self, states: list[AttentionState]) -> Tensor:
        """States of the layers of one encoder, each with q, k (B, heads, N, d_h) -> scalar."""
        distances = [torch.linalg.vector_norm(state.q.mean(2) - state.k.mean(2), dim=-1) for state in states]
        return self.weight * torch.stack([distance.mean() for distance in distances]).mean()
