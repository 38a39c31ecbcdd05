"""Camera pose regression as an mmengine model: backbone, head and loss."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.benchmarks.camera_localization.mm.transformer import MultiSceneTransformer
from harness.slots import AttentionState


@MODELS.register_module()
class CameraPoseRegressor(BaseModel):
    """Regresses camera poses in several scenes.

    L = L_x exp(-s_x) + s_x + L_q exp(-s_q) + s_q + NLL(scene) + attention loss, with learned s_x and s_q, L_x the mean
    distance of the positions and L_q the mean distance of the normalised quaternions (as they are: q and -q differ).

    Source: Shavit, Ferens, Keller, ICCV 2021; the weighting is that of Kendall and Cipolla, CVPR 2017.

    Args:
        backbone: config of a backbone that returns (fine, coarse) feature maps.
        channels: their widths.
        scenes: number of scenes.
        transformer: further arguments of :class:`MultiSceneTransformer`.
        head: instead of the transformer a plugin of the ``model`` slot, ``{"plugin": ..., "params": {...}}``, with the same
            forward pass; it needs no ``states`` unless it is combined with an attention loss.
        attention_loss: plugin of that slot.
        uncertainty: initial (s_x, s_q).
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        channels: tuple[int, int],
        scenes: int,
        transformer: dict[str, Any] | None = None,
        head: dict[str, Any] | None = None,
        attention_loss: dict[str, Any] | None = None,
        uncertainty: tuple[float, float] = (0.0, -3.0),
        data_preprocessor: dict[str, Any] | None = None,
    ):
        super().__init__(data_preprocessor=data_preprocessor)
        fine, coarse = channels
        self.backbone = MODELS.build(backbone)
        self.uncertainty = nn.Parameter(torch.tensor(uncertainty))
        if head:
            self.head = slots.build(head["plugin"], head["params"], channels=(fine, coarse), scenes=scenes)
        else:
            self.head = MultiSceneTransformer((fine, coarse), scenes, **(transformer or {}))
        self.attention_loss = slots.build(attention_loss["plugin"], attention_loss["params"]) if attention_loss else None
        self.position_only = False
        """Second training stage: the loss is L_x alone."""

    def forward(self, inputs: Tensor, data_samples: list[BaseDataElement] | None = None, mode: str = "tensor") -> Any:
        """(B, 3, H, W) normalised images -> losses, predictions or raw outputs, by ``mode``.

        ``loss``: a dict of scalars. ``predict``: the samples with ``pred_position``, ``pred_quaternion`` and ``pred_scene``.
        ``tensor``: (positions (B, 3), quaternions (B, 4), scene log-probabilities (B, S)).
        """
        features = tuple(self.backbone(inputs))
        if mode == "tensor":
            output = self.head(features)
            return output["position"], output["quaternion"], output["scene"]
        assert data_samples is not None, f"mode '{mode}' needs the samples"
        if mode == "loss":
            return self.loss(features, data_samples)
        output = self.head(features)
        for sample, position, quaternion, scene in zip(
            data_samples, output["position"], output["quaternion"], output["scene"].argmax(-1), strict=True
        ):
            sample.pred_position, sample.pred_quaternion, sample.pred_scene = position, quaternion, scene
        return data_samples

    def loss(self, features: tuple[Tensor, ...], data_samples: list[BaseDataElement]) -> dict[str, Tensor]:
        """Terms of the loss; mmengine adds up those whose name contains ``loss``."""
        device = features[0].device
        position, quaternion, scene = (
            torch.stack([sample.get(name) for sample in data_samples]).to(device) for name in ("position", "quaternion", "scene")
        )
        attention_loss = None if self.position_only else self.attention_loss
        states: list[list[AttentionState]] = []
        output = self.head(features, scene, **({} if attention_loss is None else {"states": states}))
        distance = torch.linalg.vector_norm(output["position"] - position, dim=-1).mean()
        if self.position_only:
            return {"loss_position": distance}
        turn = torch.linalg.vector_norm(F.normalize(output["quaternion"], dim=-1) - F.normalize(quaternion, dim=-1), dim=-1).mean()
        s_x, s_q = self.uncertainty
        losses = {
            "loss_position": distance * torch.exp(-s_x) + s_x,
            "loss_orientation": turn * torch.exp(-s_q) + s_q,
            "loss_scene": F.nll_loss(output["scene"], scene),
        }
        attended = [branch for branch in states if branch]
        if attention_loss is not None and attended:
            losses["loss_attention"] = sum(attention_loss(branch) for branch in attended)
        return losses
