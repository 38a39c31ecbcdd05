"""COCO's average precision and recall of boxes and masks. Imports no torch."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.benchmarks.base import Metric
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Picture

if TYPE_CHECKING:
    import numpy as np

COCO_STATS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
"""In the order in which pycocotools sums them up."""
MASK = "mask_"
"""Before the names of what masks score."""

_SAYS = {
    "AP": "COCO average precision (IoU 0.50 to 0.95)",
    "AP50": "AP at IoU 0.50",
    "AP75": "AP at IoU 0.75",
    "APs": "AP of objects below 32² pixels",
    "APm": "AP of objects of 32² to 96² pixels",
    "APl": "AP of larger objects",
    "AR1": "Average recall of the best box of a class in each image",
    "AR10": "Average recall of the best 10",
    "AR100": "Average recall of the best 100",
    "ARs": "AR of objects below 32² pixels",
    "ARm": "AR of objects of 32² to 96² pixels",
    "ARl": "AR of larger objects",
}
_THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
_MOST = 100
"""Boxes of a class in an image that count."""


@dataclass(frozen=True)
class Found:
    """What a detector found in one image."""

    boxes: np.ndarray
    """(N, 4) x0 y0 x1 y1 in the image's pixels."""
    scores: np.ndarray
    """(N,)."""
    labels: np.ndarray
    """(N,), counted from 0."""
    masks: Sequence[dict[str, Any]] = ()
    """COCO's run lengths, one for each box, where masks are scored."""


def metrics(data: DetectionData) -> list[Metric]:
    """What a trial reports; AP also for each class, and all of masks where the dataset has some."""
    kinds = ("", MASK) if data.has_masks else ("",)
    return [
        Metric(f"{kind}{name}", "%", True, f"{says}, of masks" if kind else says, per_scene=name == "AP")
        for kind in kinds
        for name, says in _SAYS.items()
    ]


def summarise(pictures: Sequence[Picture], found: Sequence[Found], classes: Sequence[str], *, masks: bool = False) -> dict[str, float]:
    """COCO's twelve numbers in percent and ``AP/class``, by faster-coco-eval; of masks, too, under names that begin with ``mask_``.

    NaN where there is no such object. Crowds and difficult objects need not be found and are no mistake where they are.

    Args:
        found: one for each picture.
    """
    values = _evaluate(pictures, found, classes, "bbox")
    if masks:
        values |= {f"{MASK}{name}": value for name, value in _evaluate(pictures, found, classes, "segm").items()}
    return values


def _evaluate(pictures: Sequence[Picture], found: Sequence[Found], classes: Sequence[str], kind: str) -> dict[str, float]:
    import numpy as np
    from faster_coco_eval import COCO, COCOeval_faster
    from faster_coco_eval.core import mask

    class Evaluation(COCOeval_faster):
        """COCO's, in which what is difficult may be found as often as a crowd, but is overlapped as an object is."""

        def computeIoU(self, imgId: int, catId: int) -> Any:  # its names
            iou = super().computeIoU(imgId, catId)
            objects = [item for item in pictures[imgId].objects if item.label == catId]
            difficult = [item.difficult for item in objects]
            if not len(iou) or not any(difficult):
                return iou
            if kind == "bbox":
                iou[:, difficult] = overlaps(_best(found[imgId], catId), np.array([item.box for item in objects])[difficult])
            else:  # as with a crowd: the share of each mask that lies in the object
                mine, theirs = self._areas(imgId, catId)
                common = iou[:, difficult] * mine[: len(iou), None]
                iou[:, difficult] = common / np.maximum(mine[: len(iou), None] + theirs[difficult] - common, 1e-9)
            return iou

        def _areas(self, image: int, label: int) -> tuple[np.ndarray, np.ndarray]:
            """Pixels of the masks found, best first, and of the objects'."""
            dataset = (self.dt_dataset, self.gt_dataset)
            dt, gt = (some.get_instances([image], [label], True)[0][0] for some in dataset)
            best = sorted(dt, key=lambda one: -one["score"])
            dt_area, gt_area = (np.array([mask.area(one["rle"]) for one in some], float) for some in (best, gt))
            return dt_area, gt_area

    def loaded(annotations: list[dict[str, Any]]) -> Any:
        coco = COCO()
        coco.dataset = {"images": images, "annotations": annotations, "categories": [{"id": label} for label in range(len(classes))]}
        coco.createIndex()
        return coco

    images = [{"id": place, **_extent(picture)} for place, picture in enumerate(pictures)]
    with contextlib.redirect_stdout(io.StringIO()):  # the evaluator reports its progress
        evaluation = Evaluation(loaded(truth(pictures)), loaded(results(found, kind)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = {name: _percent(evaluation.stats[place]) for place, name in enumerate(COCO_STATS)}
    for label, name in enumerate(classes):
        precision = evaluation.eval["precision"][:, :, label, 0, -1]  # any size, a hundred boxes
        if (precision > -1).any():
            values[f"AP/{name}"] = 100 * float(precision[precision > -1].mean())
    return values


def _percent(stat: float) -> float:
    """Of what pycocotools sums up, in which -1 stands for nothing to be found: NaN."""
    return 100 * float(stat) if stat >= 0 else float("nan")


def _extent(picture: Picture) -> dict[str, int]:
    return {"width": picture.size[0], "height": picture.size[1]} if picture.size else {}


def truth(pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """Annotations in COCO's form; images count from 0, annotations from 1."""
    annotations: list[dict[str, Any]] = []
    for place, picture in enumerate(pictures):
        for item in picture.objects:
            x0, y0, x1, y1 = item.box
            one = {"id": len(annotations) + 1, "image_id": place, "category_id": item.label, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            mask = {} if item.mask is None else {"segmentation": item.mask}
            annotations.append({**one, "area": item.area, "iscrowd": int(item.optional), **mask})
    return annotations


def results(found: Sequence[Found], kind: str) -> list[dict[str, Any]]:
    """Detections in COCO's form; the area that decides on their size is that of the box, or of the mask (``segm``)."""
    from faster_coco_eval.core import mask

    rows: list[dict[str, Any]] = []
    for place, one in enumerate(found):
        for number, (box, score, label) in enumerate(zip(one.boxes.tolist(), one.scores.tolist(), one.labels.tolist(), strict=True)):
            x0, y0, x1, y1 = box
            row = {"id": len(rows) + 1, "image_id": place, "category_id": label, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": score}
            row |= {"area": (x1 - x0) * (y1 - y0), "iscrowd": 0}
            if kind == "segm":
                row |= {"segmentation": one.masks[number], "area": float(mask.area(one.masks[number]))}
            rows.append(row)
    return rows


def per_image(pictures: Sequence[Picture], found: Sequence[Found]) -> np.ndarray:
    """AP of boxes within each image (%), the mean over the classes that it shows, (images,) float32; NaN where there is nothing to find."""
    import numpy as np

    scores = [
        [_precision(*_of_class(picture, one, label)) for label in sorted({item.label for item in picture.objects if not item.optional})]
        for picture, one in zip(pictures, found, strict=True)
    ]
    return np.array([100 * np.mean(some) if some else np.nan for some in scores], np.float32)


def _of_class(picture: Picture, found: Found, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The boxes (N, 4) of a class, best first, their overlaps (N, M) with its objects, and which of these need not be found (M,)."""
    import numpy as np

    boxes = _best(found, label)
    objects = sorted((item for item in picture.objects if item.label == label), key=lambda item: item.optional)
    iou = overlaps(boxes, np.array([item.box for item in objects]), np.array([item.crowd for item in objects]))
    return boxes, iou, np.array([item.optional for item in objects])


def _best(found: Found, label: int) -> np.ndarray:
    """The boxes of a class that count, best first, (N, 4)."""
    import numpy as np

    mine = found.labels == label
    boxes: np.ndarray = found.boxes[mine][np.argsort(-found.scores[mine], kind="stable")[:_MOST]]
    return boxes


def overlaps(boxes: np.ndarray, others: np.ndarray, crowd: np.ndarray | bool = False) -> np.ndarray:
    """IoU (N, M); with a crowd the share of the box that lies in it."""
    import numpy as np

    corner = np.maximum(boxes[:, None, :2], others[None, :, :2])
    sides = np.clip(np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - corner, 0, None)
    common = sides.prod(2)
    mine, theirs = ((some[:, 2:] - some[:, :2]).prod(1) for some in (boxes, others))
    whole = np.where(crowd, mine[:, None], mine[:, None] + theirs - common)
    ratio: np.ndarray = common / np.maximum(whole, 1e-9)
    return ratio


def _precision(boxes: np.ndarray, iou: np.ndarray, optional: np.ndarray) -> float:
    """Mean over the thresholds of the precision at 101 recalls, as COCO defines it."""
    import numpy as np

    values, total = [], int((~optional).sum())
    for threshold in _THRESHOLDS:
        free, hit, counts = ~optional, np.zeros(len(boxes), bool), np.ones(len(boxes), bool)
        for place, row in enumerate(iou):
            best = np.where(free, row, -1.0).argmax()
            if free[best] and row[best] >= threshold - 1e-10:
                free[best], hit[place] = False, True
            elif (row[optional] >= threshold - 1e-10).any():
                counts[place] = False
        true = np.cumsum(hit[counts])
        precision = np.maximum.accumulate((true / np.arange(1, len(true) + 1))[::-1])[::-1]
        at = np.searchsorted(true / total, np.linspace(0, 1, 101), side="left")
        values.append(np.append(precision, 0.0)[np.minimum(at, len(true))].mean())
    return float(np.mean(values))
