"""Segmentation scores from pixel counts. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.benchmarks.base import Metric
from harness.benchmarks.segmentation.options import SegmentationData

if TYPE_CHECKING:
    import numpy as np


def metrics(data: SegmentationData) -> list[Metric]:
    """What a trial reports, see :func:`summarise`; where a server scores the predictions, no number but NaN, and nothing of a class."""
    found = [
        Metric("mIoU", "%", True, "Mean intersection over union"),
        Metric("mAcc", "%", True, "Mean accuracy of the classes"),
        Metric("aAcc", "%", True, "Accuracy of all pixels"),
        Metric("IoU", "%", True, "Intersection over union of a class", per_scene=True),
    ]
    return found[:3] if data.server else found


def counts(prediction: np.ndarray, label: np.ndarray, classes: int, ignore_index: int) -> np.ndarray:
    """Pixel counts of one image, (3, classes): correct, predicted, labelled; ignored pixels count nowhere."""
    import numpy as np

    seen = label != ignore_index
    prediction, label = prediction[seen], label[seen]
    return np.stack([np.bincount(values, minlength=classes)[:classes] for values in (label[prediction == label], prediction, label)])


def summarise(total: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """mIoU, mAcc, aAcc and IoU per class, in percent, from the counts of a whole dataset.

    IoU_c = TP / (TP + FP + FN), Acc_c = TP / labelled. A class that is neither labelled nor predicted has no IoU and
    counts in no mean; one that is never labelled has no accuracy.

    Args:
        total: (3, classes), see :func:`counts`, summed over all images.
    """
    import numpy as np

    correct, predicted, labelled = np.asarray(total, np.float64)
    iou, accuracy = _ratio(correct, predicted + labelled - correct), _ratio(correct, labelled)
    values = {"mIoU": _mean(iou), "mAcc": _mean(accuracy), "aAcc": float(_ratio(correct.sum(), labelled.sum()))}
    values |= {f"IoU/{name}": float(value) for name, value in zip(classes, iou, strict=True) if np.isfinite(value)}
    return {name: 100 * value for name, value in values.items()}


def per_image(images: np.ndarray) -> dict[str, np.ndarray]:
    """mIoU and pixel accuracy within each image in percent, float32; NaN where all pixels are ignored.

    Args:
        images: (images, 3, classes), see :func:`counts`.
    """
    import numpy as np

    correct, predicted, labelled = np.moveaxis(np.asarray(images, np.float64), 1, 0)
    accuracy = _ratio(correct.sum(1), labelled.sum(1))
    iou = np.array([_mean(row) for row in _ratio(correct, predicted + labelled - correct)])
    return {"mIoU": (100 * iou).astype(np.float32), "aAcc": (100 * accuracy).astype(np.float32)}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    import numpy as np

    ratio: np.ndarray = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return ratio


def _mean(values: np.ndarray) -> float:
    """Mean of the finite values, NaN where there is none."""
    import numpy as np

    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
