"""COCO reader and keypoint evaluation from faster-coco-eval, with the signatures mmpose expects of xtcocotools."""

from __future__ import annotations

from collections.abc import Sequence

from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval.core import mask
from faster_coco_eval.core.cocoeval import Params

__all__ = ["COCO", "COCOeval", "mask"]


class _KeypointParams(Params):
    """mmpose writes ``useSegm = None``, by which the original means "as the type says"; here it would mean boxes."""

    @property
    def useSegm(self) -> None:
        return None

    @useSegm.setter
    def useSegm(self, value: None) -> None:
        if value is not None:
            raise ValueError("keypoints are evaluated here, neither boxes nor segments")


class COCOeval(COCOeval_faster):
    """xtcocotools' order of arguments over faster-coco-eval, for keypoints."""

    def __init__(
        self,
        coco_gt: COCO | None = None,
        coco_dt: COCO | None = None,
        iou_type: str = "keypoints",
        sigmas: Sequence[float] | None = None,
        use_area: bool = True,
    ):
        super().__init__(coco_gt, coco_dt, iou_type, kpt_oks_sigmas=None if sigmas is None else list(sigmas), use_area=use_area)
        self.params.__class__ = _KeypointParams
        # mmpose's truth does not say it, and xtcocotools counts
        for annotation in coco_gt.anns.values() if coco_gt is not None else ():
            annotation.setdefault("num_keypoints", sum(flag > 0 for flag in annotation.get("keypoints", ())[2::3]))
