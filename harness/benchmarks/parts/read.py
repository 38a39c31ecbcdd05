"""The first transform of every pipeline: a file becomes pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from harness.errors import DataError
from harness.images import Decoding, read_bgr


@TRANSFORMS.register_module()
class ReadImage(BaseTransform):
    """Reads ``img_path`` as uint8 BGR, as ``decoding`` (:class:`harness.images.Decoding`) of the sample says.

    Args:
        exif, bits: the decoding of samples that do not say, see :class:`~harness.benchmarks.options.DataOptions`.
    """

    def __init__(self, exif: str = "ignore", bits: int | None = None):
        self.decoding = Decoding(exif == "apply", bits or 16)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        path = Path(results["img_path"])
        try:
            pixels = read_bgr(path, results.get("decoding") or self.decoding)
        except ValueError as reason:
            raise DataError(f"{path}: {reason}. Restore it; `harness data check` lists all.") from None
        results["img"] = pixels
        results["img_shape"] = results["ori_shape"] = pixels.shape[:2]
        return results
