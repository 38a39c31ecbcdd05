"""Multi-Scene PoseNet: one convolutional network, one pose regressor per scene."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method


@attention_method("multi-scene-posenet", slot="model")
class MultiScenePoseNet(nn.Module):
    """A scene classifier selects which scene's last layers regress the pose.

    Position and orientation are linear in h with weights of the true scene in training and of the most probable scene
    otherwise.

    Formula:
        z = GAP(coarsest map);  h = drop(ReLU(W z));  p = P_s h + b_s,  q = Q_s h + c_s,  s = argmax(W_c z + b_c)

    Shapes:
        Feature maps (B, C_i, H_i, W_i), fine and coarse → position (B, 3), quaternion (B, 4), log-probabilities of scenes (B, S).

    Parameters:
        Ck + k + S(7k + 7) + CS + S, for C channels, S scenes, k hidden units.

    Map:
        None: no attention.

    Source:
        Blanton et al., CVPR Workshops 2020. No public code and no widths are given: this is a re-implementation without a parity
        target, with the regressor of ``models/posenet/PoseNet.py`` of yolish/multi-scene-pose-transformer. Not mmpose's MSPN.

    Args:
        channels: widths of the fine and the coarse feature map; the coarse one is used.
        scenes: number of scenes.
        hidden: k.
        dropout: of the hidden units.
    """

    def __init__(self, channels: tuple[int, int], scenes: int, hidden: int = 1024, dropout: float = 0.1):
        super().__init__()
        self.hidden = nn.Linear(channels[-1], hidden)
        self.position = nn.ModuleList(nn.Linear(hidden, 3) for _ in range(scenes))
        self.orientation = nn.ModuleList(nn.Linear(hidden, 4) for _ in range(scenes))
        self.classify = nn.Linear(channels[-1], scenes)
        self.drop = nn.Dropout(dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, features: tuple[Tensor, Tensor], scene: Tensor | None = None) -> dict[str, Tensor]:
        """Feature maps (fine, coarse) -> ``position`` (B, 3), ``quaternion`` (B, 4), ``scene`` (B, S) log-probabilities.

        Args:
            features: (B, C_i, H_i, W_i) each.
            scene: (B,) the true scenes, in training.
        """
        pooled = features[-1].mean((-2, -1))
        logits = self.classify(pooled)
        chosen = logits.argmax(-1) if scene is None else scene
        hidden = self.drop(F.relu(self.hidden(pooled)))
        batch = torch.arange(len(hidden), device=hidden.device)
        return {
            "position": torch.stack([head(hidden) for head in self.position], 1)[batch, chosen],
            "quaternion": torch.stack([head(hidden) for head in self.orientation], 1)[batch, chosen],
            "scene": logits.log_softmax(-1),
        }
