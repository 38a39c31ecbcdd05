"""Predicted label maps as files, for the server that knows the labels of a test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from PIL import Image

LABEL_IDS = {"cityscapes": (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)}
"""Server -> what it calls each class, in label order (Cityscapes: ``id`` in the authors' cityscapesscripts)."""


@HOOKS.register_module()
class WritePredictions(Hook):
    """Writes the predicted label map of each test image into the trial's ``artifacts/predictions``, by the image's name, as PNG.

    Args:
        server: a key of :data:`LABEL_IDS`.
    """

    def __init__(self, server: str):
        self.ids = np.array(LABEL_IDS[server], np.uint8)

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        folder = Path(runner.work_dir, "artifacts", "predictions")
        folder.mkdir(parents=True, exist_ok=True)
        for sample in outputs or ():
            labels = sample.pred_sem_seg.data.squeeze(0).cpu().numpy()
            Image.fromarray(self.ids[labels]).save(folder / f"{Path(sample.img_path).stem}.png")
