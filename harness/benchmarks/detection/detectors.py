"""mmdet's detectors as configs: those of its model zoo, with the widths, counts and plugins of a trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.benchmarks.backbones import Features
from harness.benchmarks.detection.options import DetectionModel
from harness.catalog import Filling
from harness.slots import SLOTS

Fillings = dict[str, Filling]


def strides(host: Features, count: int) -> list[int]:
    """Pixels of the cells of a pyramid with so many levels above a backbone's maps."""
    return [*host.strides, *(host.strides[-1] << (level + 1) for level in range(count - len(host.strides)))]


def plugin(fillings: Fillings, slot: str) -> dict[str, Any]:
    """Plugin and parameters of what fills a slot, its baseline where nothing does."""
    filling = fillings.get(slot)
    return {"plugin": filling.plugin, "params": filling.params} if filling else {"plugin": SLOTS[slot].baseline, "params": {}}


def _pyramid(host: Features, options: DetectionModel) -> dict[str, Any]:
    pyramid = {"type": "mmdet.FPN", "in_channels": host.channels, "out_channels": options.channels, "num_outs": options.outputs}
    return pyramid | _normalized(options)


def _normalized(options: DetectionModel) -> dict[str, Any]:
    return {"norm_cfg": {"type": "BN", "requires_grad": True}} if options.norm else {}


def _anchors_to_boxes(*spread: float) -> dict[str, Any]:
    return {"type": "mmdet.DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": list(spread)}


def _by_overlap(above: float, below: float, least: float, low_quality: bool | None = None) -> dict[str, Any]:
    told = {} if low_quality is None else {"match_low_quality": low_quality}
    thresholds = {"pos_iou_thr": above, "neg_iou_thr": below, "min_pos_iou": least}
    return {"type": "mmdet.MaxIoUAssigner", **thresholds, **told, "ignore_iof_thr": -1}


def _drawn(count: int, share: float, *, with_objects: bool, hard: bool = False) -> dict[str, Any]:
    numbers = {"num": count, "pos_fraction": share, "neg_pos_ub": -1}
    return {"type": "mmdet.OHEMSampler" if hard else "mmdet.RandomSampler", **numbers, "add_gt_as_proposals": with_objects}


def _suppression(overlap: float) -> dict[str, Any]:
    return {"type": "nms", "iou_threshold": overlap}


_L1 = {"type": "mmdet.L1Loss", "loss_weight": 1.0}
_FREE = {"allowed_border": -1, "pos_weight": -1, "debug": False}


def faster_rcnn(options: DetectionModel, host: Features, classes: int, fillings: Fillings) -> dict[str, Any]:
    """``mmdet.FasterRCNN`` with a pyramid (``faster-rcnn_r50_fpn``)."""
    regions, levels = options.regions, strides(host, options.outputs)
    read = {"type": "PluginRegions", "out_channels": options.channels, "featmap_strides": levels[: len(host.channels)]}
    read |= plugin(fillings, "region_features")
    relation, boxes = fillings.get("relation"), {**_L1, "loss_weight": regions.box_weight}
    proposals = {"nms": _suppression(0.7), "max_per_img": regions.proposed, "min_bbox_size": 0}
    drawn = _drawn(regions.trained, regions.objects, with_objects=True, hard=regions.hard)
    rcnn = {"sampler": drawn, "pos_weight": -1, "debug": False}
    return {
        "type": "mmdet.FasterRCNN",
        "backbone": host.config,
        "neck": _pyramid(host, options),
        "rpn_head": {
            "type": "mmdet.RPNHead",
            "in_channels": options.channels,
            "feat_channels": options.channels,
            "anchor_generator": {"type": "mmdet.AnchorGenerator", "scales": options.scales, "ratios": options.ratios, "strides": levels},
            "bbox_coder": _anchors_to_boxes(1.0, 1.0, 1.0, 1.0),
            "loss_cls": {"type": "mmdet.CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
            "loss_bbox": boxes,
        },
        "roi_head": {
            "type": "PluginRegionHead",
            "duplicates": _duplicates(options, fillings),
            "bbox_roi_extractor": {**read, "size": regions.bins},
            "bbox_head": {
                "type": "PluginBoxHead",
                "relation": plugin(fillings, "relation") if relation else None,
                "in_channels": options.channels,
                "fc_out_channels": regions.width,
                "roi_feat_size": regions.bins,
                "num_classes": classes,
                "bbox_coder": _anchors_to_boxes(0.1, 0.1, 0.2, 0.2),
                "reg_class_agnostic": regions.agnostic,
                **_convolutions(options),
                **_first_weights(regions.classifier_std),
                "loss_cls": {"type": "mmdet.CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
                "loss_bbox": boxes,
            },
        },
        "train_cfg": {
            "rpn": {
                "assigner": _by_overlap(0.7, 0.3, 0.3, True),
                "sampler": _drawn(regions.anchors_trained, 0.5, with_objects=False),
                **_FREE,
            },
            "rpn_proposal": {"nms_pre": regions.before, **proposals},
            "rcnn": {"assigner": _by_overlap(0.5, 0.5, 0.5, False), **rcnn},
        },
        "test_cfg": {
            "rpn": {"nms_pre": -(-regions.before // 2), **proposals},
            "rcnn": {"score_thr": options.score, "nms": _suppression(options.overlap), "max_per_img": options.found},
        },
    }


def _convolutions(options: DetectionModel) -> dict[str, Any]:
    count = options.regions.convolutions
    layers = {"num_shared_convs": count, "num_shared_fcs": 1, "conv_out_channels": options.channels}
    return layers | _normalized(options) if count else {}


def _first_weights(std: float) -> dict[str, Any]:
    """mmdet's own, but for the classifier."""
    if std == 0.01:
        return {}
    shared = {"type": "Xavier", "distribution": "uniform", "override": [{"name": "shared_fcs"}]}
    spread = [{"type": "Normal", "std": each, "override": {"name": name}} for name, each in (("fc_cls", std), ("fc_reg", 0.001))]
    return {"init_cfg": [*spread, shared]}


def _duplicates(options: DetectionModel, fillings: Fillings) -> dict[str, Any]:
    found = plugin(fillings, "duplicate_removal")
    if found["plugin"] == SLOTS["duplicate_removal"].baseline and not found["params"]:
        found["params"] = {"iou_threshold": options.overlap}
    return found


def mask_rcnn(options: DetectionModel, host: Features, classes: int, fillings: Fillings) -> dict[str, Any]:
    """``mmdet.MaskRCNN`` with a pyramid (``mask-rcnn_r50_fpn``)."""
    model = faster_rcnn(options, host, classes, fillings)
    head = model["roi_head"]
    head["mask_roi_extractor"] = {**head["bbox_roi_extractor"], "size": 2 * options.regions.bins}
    head["mask_head"] = {
        **(
            {"type": "PluginMaskHead", "relation": plugin(fillings, "relation")}
            if "relation" in fillings
            else {"type": "mmdet.FCNMaskHead"}
        ),
        "num_convs": 4,
        "in_channels": options.channels,
        "conv_out_channels": options.channels,
        "num_classes": classes,
        **_normalized(options),
        "loss_mask": {"type": "mmdet.CrossEntropyLoss", "use_mask": True, "loss_weight": 1.0},
    }
    model["train_cfg"]["rcnn"] |= {"assigner": _by_overlap(0.5, 0.5, 0.5, True), "mask_size": 4 * options.regions.bins}
    model["test_cfg"]["rcnn"]["mask_thr_binary"] = 0.5
    return model | {"type": "mmdet.MaskRCNN"}


def retinanet(options: DetectionModel, host: Features, classes: int, fillings: Fillings) -> dict[str, Any]:
    """``mmdet.RetinaNet`` (``retinanet_r50_fpn``); further levels are made of the backbone's last map."""
    anchors = {
        "type": "mmdet.AnchorGenerator",
        "octave_base_scale": options.scales[0],
        "scales_per_octave": 3,
        "ratios": options.ratios,
        "strides": strides(host, options.outputs),
    }
    return {
        "type": "mmdet.RetinaNet",
        "backbone": host.config,
        "neck": _pyramid(host, options) | {"add_extra_convs": "on_input"},
        "bbox_head": {
            "type": "mmdet.RetinaHead",
            "num_classes": classes,
            "in_channels": options.channels,
            "stacked_convs": 4,
            "feat_channels": options.channels,
            "anchor_generator": anchors,
            "bbox_coder": _anchors_to_boxes(1.0, 1.0, 1.0, 1.0),
            "loss_cls": {"type": "mmdet.FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
            "loss_bbox": _L1,
        },
        "train_cfg": {"assigner": _by_overlap(0.5, 0.4, 0), "sampler": {"type": "mmdet.PseudoSampler"}, **_FREE},
        "test_cfg": {
            "nms_pre": 1000,
            "min_bbox_size": 0,
            "score_thr": options.score,
            "nms": _suppression(options.overlap),
            "max_per_img": options.found,
        },
    }


def _attention(options: DetectionModel) -> dict[str, Any]:
    return {"embed_dims": options.channels, "num_heads": 8, "dropout": 0.1, "batch_first": True}


_TO_BOXES = {"loss_bbox": {"type": "mmdet.L1Loss", "loss_weight": 5.0}, "loss_iou": {"type": "mmdet.GIoULoss", "loss_weight": 2.0}}


def _matched(by_class: str, weight: float) -> dict[str, Any]:
    costs = [
        {"type": f"mmdet.{by_class}", "weight": weight},
        {"type": "mmdet.BBoxL1Cost", "weight": 5.0, "box_format": "xywh"},
        {"type": "mmdet.IoUCost", "iou_mode": "giou", "weight": 2.0},
    ]
    return {"assigner": {"type": "mmdet.HungarianAssigner", "match_costs": costs}}


def detr(options: DetectionModel, host: Features, classes: int, fillings: Fillings) -> dict[str, Any]:
    """``mmdet.DETR`` (``detr_r50``) on one map."""
    act = {"act_cfg": {"type": "ReLU", "inplace": True}}
    forward = {"embed_dims": options.channels, "feedforward_channels": options.feedforward, "num_fcs": 2, "ffn_drop": 0.1, **act}
    own = _attention(options)
    decoder = {"self_attn_cfg": own, "cross_attn_cfg": own, "ffn_cfg": forward}
    mapper = {"kernel_size": 1, "act_cfg": None, "norm_cfg": None, "num_outs": 1}
    return {
        "type": "mmdet.DETR",
        "num_queries": options.queries,
        "backbone": host.config,
        "neck": {"type": "mmdet.ChannelMapper", "in_channels": host.channels, "out_channels": options.channels, **mapper},
        "encoder": {"num_layers": options.layers, "layer_cfg": {"self_attn_cfg": own, "ffn_cfg": forward}},
        "decoder": {"num_layers": options.layers, "layer_cfg": decoder, "return_intermediate": True},
        "positional_encoding": {"num_feats": options.channels // 2, "normalize": True},
        "bbox_head": {
            "type": "mmdet.DETRHead",
            "num_classes": classes,
            "embed_dims": options.channels,
            "loss_cls": {
                "type": "mmdet.CrossEntropyLoss",
                "bg_cls_weight": 0.1,
                "use_sigmoid": False,
                "loss_weight": 1.0,
                "class_weight": 1.0,
            },
            **_TO_BOXES,
        },
        "train_cfg": _matched("ClassificationCost", 1.0),
        "test_cfg": {"max_per_img": min(options.found, options.queries)},
    }


def deformable_detr(options: DetectionModel, host: Features, classes: int, fillings: Fillings) -> dict[str, Any]:
    """``mmdet.DeformableDETR`` (``deformable-detr_r50``) on several maps."""
    width, levels = options.channels, options.outputs
    forward = {"embed_dims": width, "feedforward_channels": options.feedforward, "ffn_drop": 0.1}
    deformable = {"embed_dims": width, "num_levels": levels, "batch_first": True}
    decoder = {"self_attn_cfg": _attention(options), "cross_attn_cfg": deformable, "ffn_cfg": forward}
    mapper = {"kernel_size": 1, "act_cfg": None, "norm_cfg": {"type": "GN", "num_groups": min(32, width // 2)}, "num_outs": levels}
    return {
        "type": "mmdet.DeformableDETR",
        "num_queries": options.queries,
        "num_feature_levels": levels,
        "with_box_refine": False,
        "as_two_stage": False,
        "backbone": host.config,
        "neck": {"type": "mmdet.ChannelMapper", "in_channels": host.channels, "out_channels": width, **mapper},
        "encoder": {"num_layers": options.layers, "layer_cfg": {"self_attn_cfg": deformable, "ffn_cfg": forward}},
        "decoder": {"num_layers": options.layers, "return_intermediate": True, "layer_cfg": decoder, "post_norm_cfg": None},
        "positional_encoding": {"num_feats": width // 2, "normalize": True, "offset": -0.5},
        "bbox_head": {
            "type": "mmdet.DeformableDETRHead",
            "num_classes": classes,
            "embed_dims": width,
            "sync_cls_avg_factor": True,
            "loss_cls": {"type": "mmdet.FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 2.0},
            **_TO_BOXES,
        },
        "train_cfg": _matched("FocalLossCost", 2.0),
        "test_cfg": {"max_per_img": min(options.found, options.queries * classes)},
    }


DETECTORS: dict[str, Callable[[DetectionModel, Features, int, Fillings], dict[str, Any]]] = {
    "faster-rcnn": faster_rcnn,
    "mask-rcnn": mask_rcnn,
    "retinanet": retinanet,
    "detr": detr,
    "deformable-detr": deformable_detr,
}
