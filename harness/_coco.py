"""COCO reader and keypoint evaluation, in the form mmpose expects of xtcocotools."""

from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval.core import mask

__all__ = ["COCO", "COCOeval", "mask"]
