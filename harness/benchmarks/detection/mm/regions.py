"""The second stage of a detector with the slots ``region_features``, ``relation`` and ``duplicate_removal``.

Without plugins parameters and numbers are those of mmdet's ``StandardRoIHead`` with ``SingleRoIExtractor`` and ``Shared2FCBBoxHead``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.structures.bbox import bbox2roi, scale_boxes
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from harness import slots


@MODELS.register_module()
class PluginRegions(SingleRoIExtractor):
    """``mmdet.SingleRoIExtractor`` whose features of each level are a plugin's.

    Args:
        plugin: name of a loaded plugin of the ``region_features`` slot.
        params: the method's parameters.
        size: bins of a region's side.
        kwargs: of ``mmdet.SingleRoIExtractor``: ``out_channels``, ``featmap_strides``.
    """

    def __init__(self, plugin: str, params: dict[str, Any], size: int, **kwargs: Any):
        super().__init__(roi_layer={"type": "RoIAlign", "output_size": size, "sampling_ratio": 0}, **kwargs)
        # built here and not where mmdet builds its layers, which is before the parent's constructor is done
        self.roi_layers = nn.ModuleList(
            slots.build(plugin, params, channels=self.out_channels, size=size, stride=stride) for stride in self.featmap_strides
        )

    def forward(self, feats: Sequence[Tensor], rois: Tensor, roi_scale_factor: float | None = None) -> Tensor:
        """Levels (B, C, H_i, W_i) and regions (R, 5) -> (R, C, size, size), each region from the level of its size."""
        levels = self.map_roi_levels(rois, len(feats))
        places = [(levels == level).nonzero()[:, 0] for level in range(len(feats))]
        # a level without regions is asked, too: its parameters stay part of the graph
        read = [layer(x, rois[some]) for layer, x, some in zip(self.roi_layers, feats, places, strict=True)]
        return torch.cat(read)[torch.cat(places).argsort()]


@MODELS.register_module()
class PluginBoxHead(ConvFCBBoxHead):
    """``mmdet.Shared2FCBBoxHead``, or that with convolutions, with a relation of an image's regions after each fully-connected layer.

    fc -> RELATION -> ReLU -> fc -> RELATION -> ReLU -> classes and boxes, where Hu et al. (CVPR 2018) put theirs.

    Args:
        relation: plugin and parameters of the ``relation`` slot, if it is filled.
        num_shared_fcs: fully-connected layers.
        kwargs: of ``mmdet.ConvFCBBoxHead``.
    """

    def __init__(self, relation: dict[str, Any] | None = None, num_shared_fcs: int = 2, **kwargs: Any):
        super().__init__(num_shared_fcs=num_shared_fcs, **kwargs)
        self.relations = nn.ModuleList()
        if relation:
            for _ in self.shared_fcs:
                self.relations.append(slots.build(relation["plugin"], relation["params"], channels=self.fc_out_channels))

    def forward(self, x: Tensor, rois: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(R, C, size, size) and regions (R, 5) -> logits of the classes and changes of the boxes."""
        scores, boxes, _ = self.with_features(x, rois)
        return scores, boxes

    def with_features(self, x: Tensor, rois: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The same, and the features (R, F) that both follow from."""
        for convolution in self.shared_convs:
            x = convolution(x)
        x = x.flatten(1)
        for index, layer in enumerate(self.shared_fcs):
            x = layer(x)
            if len(self.relations) and rois is not None:
                x = _related(self.relations[index], x, rois)
            x = self.relu(x)
        return self.fc_cls(x), self.fc_reg(x), x


def _related(relation: nn.Module, x: Tensor, rois: Tensor) -> Tensor:
    """A relation of the regions (R, 5) of each image, which lie image by image in the order of the batch, (R, C) -> (R, C)."""
    _, counts = torch.unique_consecutive(rois[:, 0], return_counts=True)
    parts = zip(*(torch.split(tensor, counts.tolist()) for tensor in (x, rois[:, 1:])), strict=True)
    return torch.cat([relation(features, boxes) for features, boxes in parts]) if len(x) else x


@MODELS.register_module()
class PluginMaskHead(FCNMaskHead):
    """``mmdet.FCNMaskHead`` with a relation of an image's regions between its convolutions and the upsampling.

    A region's map x is x - m + RELATION(m), m its mean over positions: what regions tell each other is the same for all of a region's
    positions. Hu et al. have no masks; this is the place that corresponds to theirs in the box head.

    Args:
        relation: plugin and parameters of the ``relation`` slot.
        kwargs: of ``mmdet.FCNMaskHead``.
    """

    def __init__(self, relation: dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.relation = slots.build(relation["plugin"], relation["params"], channels=self.conv_out_channels)

    def forward(self, x: Tensor, rois: Tensor | None = None) -> Tensor:
        """(R, C, size, size) and regions (R, 5) -> logits of the masks (R, classes, 2 size, 2 size)."""
        for convolution in self.convs:
            x = convolution(x)
        if rois is not None:
            mean = x.mean((2, 3))
            x = x + (_related(self.relation, mean, rois) - mean)[:, :, None, None]
        logits: Tensor = self.conv_logits(self.relu(self.upsample(x)))
        return logits


@MODELS.register_module()
class PluginRegionHead(StandardRoIHead):
    """``mmdet.StandardRoIHead`` with a plugin in the place of non-maximum suppression.

    Args:
        duplicates: plugin and parameters of the ``duplicate_removal`` slot.
        kwargs: of ``mmdet.StandardRoIHead``.
    """

    def __init__(self, duplicates: dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.duplicates = slots.build(duplicates["plugin"], duplicates["params"], channels=self.bbox_head.fc_out_channels)

    def forward(self, x: Sequence[Tensor], rpn_results_list: list[InstanceData], batch_data_samples: Any = None) -> tuple[Tensor, ...]:
        """Scores and boxes of all images, duplicates removed, and masks: what a test computes, for who measures it."""
        rois = bbox2roi([one.bboxes for one in rpn_results_list])
        metas = [sample.metainfo for sample in batch_data_samples]
        parts = self._detected(x, [one.bboxes for one in rpn_results_list], metas)
        found = tuple(tensor for part in parts for tensor in (part[1], self.duplicates(*part)))
        return (*found, self._mask_forward(x, rois[:100])["mask_preds"]) if self.with_mask else found

    def loss(self, x: Sequence[Tensor], rpn_results_list: list[InstanceData], batch_data_samples: list[Any]) -> dict[str, Any]:
        """mmdet's losses, and those of a plugin that is trained, from the regions that a test would have."""
        learnt = getattr(self.duplicates, "loss", None)
        proposals = [one.bboxes for one in rpn_results_list]
        losses: dict[str, Any] = super().loss(x, rpn_results_list, batch_data_samples)
        if learnt is None:
            return losses
        sums: dict[str, list[Tensor]] = {}
        # what a test leaves out for its score can still be raised here
        parts = self._detected(x, proposals, [sample.metainfo for sample in batch_data_samples], least=0.0)
        for (features, boxes, scores), sample in zip(parts, batch_data_samples, strict=True):
            truth = sample.gt_instances
            corners = getattr(truth.bboxes, "tensor", truth.bboxes)
            for name, value in learnt(features, boxes.detach(), scores, corners, truth.labels).items():
                sums.setdefault(name, []).append(value)
        return losses | {name: torch.stack(values).mean() for name, values in sums.items()}

    def predict_bbox(
        self,
        x: Sequence[Tensor],
        batch_img_metas: list[dict[str, Any]],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: Any,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Boxes, scores and labels of each image, the best first."""
        found = []
        parts = self._detected(x, [one.bboxes for one in rpn_results_list], batch_img_metas)
        for (features, boxes, scores), meta in zip(parts, batch_img_metas, strict=True):
            kept = self.duplicates(features, boxes, scores)
            best = kept.flatten().argsort(descending=True, stable=True)[: rcnn_test_cfg.max_per_img]
            best = best[kept.flatten()[best] > 0]
            corners = boxes.flatten(0, 1)[best]
            if rescale:
                corners = scale_boxes(corners, [1 / side for side in meta["scale_factor"]])
            found.append(InstanceData(bboxes=corners, scores=kept.flatten()[best], labels=best % scores.shape[1]))
        return found

    def _mask_forward(self, x: Sequence[Tensor], rois: Tensor, *_args: Any, **_options: Any) -> dict[str, Tensor]:
        read = self.mask_roi_extractor(x[: self.mask_roi_extractor.num_inputs], rois)
        related = (rois,) if isinstance(self.mask_head, PluginMaskHead) else ()
        return {"mask_preds": self.mask_head(read, *related), "mask_feats": read}

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        read = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], rois)
        scores, boxes, features = self.bbox_head.with_features(read, rois)
        return {"cls_score": scores, "bbox_pred": boxes, "bbox_feats": read, "features": features}

    def _detected(
        self, x: Sequence[Tensor], proposals: list[Tensor], metas: list[dict[str, Any]], least: float | None = None
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Features (R, F), boxes (R, K, 4) and scores (R, K) of each image, where scores of no more than ``least`` are 0."""
        head, least = self.bbox_head, self.test_cfg.score_thr if least is None else least
        rois = bbox2roi(proposals)
        raw = self._bbox_forward(x, rois)
        scores = raw["cls_score"].softmax(-1)[:, :-1]
        scores = scores * (scores > least)
        counts, found = [len(some) for some in proposals], []
        parts = (tensor.split(counts) for tensor in (raw["features"], rois[:, 1:], raw["bbox_pred"], scores))
        ways = 1 if head.reg_class_agnostic else head.num_classes
        for features, regions, changes, mine, meta in zip(*parts, metas, strict=True):
            each = regions.repeat_interleave(ways, dim=0)
            boxes = head.bbox_coder.decode(each, changes.reshape(-1, 4), max_shape=meta["img_shape"])
            found.append((features, boxes.reshape(-1, ways, 4).expand(-1, head.num_classes, -1), mine))
        return found
