"""COCO reader and keypoint evaluation from faster-coco-eval, with the signatures mmpose expects of xtcocotools."""

from __future__ import annotations

from collections.abc import Sequence

from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval.core import mask

__all__ = ["COCO", "COCOeval", "mask"]


class COCOeval(COCOeval_faster):
    """xtcocotools' order of arguments over faster-coco-eval."""

    def __init__(
        self,
        coco_gt: COCO | None = None,
        coco_dt: COCO | None = None,
        iou_type: str = "keypoints",
        sigmas: Sequence[float] | None = None,
        use_area: bool = True,
    ):
        super().__init__(coco_gt, coco_dt, iou_type, kpt_oks_sigmas=None if sigmas is None else list(sigmas), use_area=use_area)
