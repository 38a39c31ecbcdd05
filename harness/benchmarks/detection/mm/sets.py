"""A detector of the slot ``detector``: what it says is matched one to one with the objects, as DETR's is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import DETRHead
from mmdet.models.detectors import BaseDetector
from mmengine.registry import MODELS
from torch import Tensor

from harness import slots
from harness.errors import UsageError

_NO_OBJECT = 0.1
"""Weight of "no object" in the loss of the classes."""


class _Matching(DETRHead):
    """Losses and predictions of mmdet's ``DETRHead``, without layers of its own.

    Args:
        classes: K.
        focal: whether logits are K sigmoids, trained with the focal loss as Deformable DETR's, or K + 1 of a softmax, as DETR's.
        found: boxes of an image that are kept.
    """

    def __init__(self, classes: int, focal: bool, found: int):
        softmax = {"type": "mmdet.CrossEntropyLoss", "use_sigmoid": False, "class_weight": [1.0] * classes + [_NO_OBJECT]}
        sigmoid = {"type": "mmdet.FocalLoss", "use_sigmoid": True, "loss_weight": 2.0}
        cost = {"type": "mmdet.FocalLossCost", "weight": 2.0} if focal else {"type": "mmdet.ClassificationCost", "weight": 1.0}
        further = [
            {"type": "mmdet.BBoxL1Cost", "weight": 5.0, "box_format": "xywh"},
            {"type": "mmdet.IoUCost", "iou_mode": "giou", "weight": 2.0},
        ]
        super().__init__(
            num_classes=classes,
            loss_cls=sigmoid if focal else softmax,
            loss_bbox={"type": "mmdet.L1Loss", "loss_weight": 5.0},
            loss_iou={"type": "mmdet.GIoULoss", "loss_weight": 2.0},
            train_cfg={"assigner": {"type": "mmdet.HungarianAssigner", "match_costs": [cost, *further]}},
            test_cfg={"max_per_img": found},
        )
        # losses are means over what the weights sum up to, which the parent looks after in its own class only
        self.bg_cls_weight = 0.0 if focal else _NO_OBJECT

    def _init_layers(self) -> None:
        pass


@MODELS.register_module()
class SetDetector(BaseDetector):
    """A backbone, and a plugin of the ``detector`` slot.

    Args:
        backbone: config.
        plugin: name of a loaded plugin.
        params: the method's parameters.
        channels: widths of the backbone's maps.
        classes: number of classes.
        found: boxes of an image that are kept.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        plugin: str,
        params: dict[str, Any],
        channels: Sequence[int],
        classes: int,
        found: int,
        data_preprocessor: Any = None,
    ):
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.method = slots.build(plugin, params, channels=tuple(channels), classes=classes)
        self.plugin, self.classes, self.found = plugin, classes, found

    def extract_feat(self, batch_inputs: Tensor) -> Any:
        """(B, 3, H, W) -> maps of the backbone."""
        return self.backbone(batch_inputs)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> tuple[Tensor, Tensor]:
        padding = batch_inputs.new_ones(batch_inputs.shape[0], *batch_inputs.shape[2:], dtype=torch.bool)
        for index, sample in enumerate(batch_data_samples or ()):
            height, width = sample.metainfo["img_shape"][:2]
            padding[index, :height, :width] = False
        logits, boxes = self.method(self.extract_feat(batch_inputs), padding)
        return logits, boxes

    def loss(self, batch_inputs: Tensor, batch_data_samples: Any) -> dict[str, Tensor]:
        """Losses of each layer."""
        logits, boxes = self._forward(batch_inputs, batch_data_samples)
        truth, metas = [sample.gt_instances for sample in batch_data_samples], [sample.metainfo for sample in batch_data_samples]
        losses: dict[str, Tensor] = self._matching(logits).loss_by_feat(logits, boxes, truth, metas)
        return losses

    def predict(self, batch_inputs: Tensor, batch_data_samples: Any, rescale: bool = True) -> Any:
        """The samples with ``pred_instances``, of the last layer."""
        logits, boxes = self._forward(batch_inputs, batch_data_samples)
        metas = [sample.metainfo for sample in batch_data_samples]
        return self.add_pred_to_datasample(
            batch_data_samples, self._matching(logits).predict_by_feat(logits, boxes, metas, rescale=rescale)
        )

    def _matching(self, logits: Tensor) -> _Matching:
        kinds = {self.classes: True, self.classes + 1: False}
        if logits.shape[3] not in kinds:
            wanted = f"{self.classes + 1}, the last of no object, or {self.classes}"
            raise UsageError(f"detector '{self.plugin}' gave {logits.shape[3]} logits for {self.classes} classes. Give {wanted}.")
        focal = kinds[logits.shape[3]]
        most = logits.shape[2] * (self.classes if focal else 1)
        matching: _Matching = _Matching(self.classes, focal, min(self.found, most)).to(logits.device)
        return matching
