"""A trained model looks at images of anybody's: what it predicts and what it attends to, as pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import Compose

from harness import openmmlab
from harness.benchmarks import family
from harness.compose import Trial
from harness.diagnostics.collect import diagnose
from harness.diagnostics.maps import Marks
from harness.diagnostics.overlays import enlarged, marked
from harness.diagnostics.pictures import as_image
from harness.engine.trained import loaded
from harness.errors import DataError, UsageError
from harness.images import Decoding, read_bgr, write_image

_OF_LABELS = ("ReadLabel", "LoadAnnotations")
"""Transforms that read what is true of an image, which nobody knows of these."""


class _Images:
    """A loader over images without labels, as the test of a trial has one."""

    def __init__(self, loader: Any, files: Sequence[Path]):
        inner = loader.dataset
        self.collate_fn, self.dataset = loader.collate_fn, self
        self.metainfo = getattr(inner, "metainfo", {})
        steps = [step for step in inner.pipeline.transforms if type(step).__name__ not in _OF_LABELS]
        pipeline, example = Compose(steps), inner.get_data_info(0)
        self.samples = [pipeline(_of(example, file, index)) for index, file in enumerate(files)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


def _of(example: dict[str, Any], file: Path, index: int) -> dict[str, Any]:
    """A sample like one of the test set, of another image; a box is all of it."""
    try:
        height, width = read_bgr(file, Decoding(True, 16)).shape[:2]
    except (OSError, ValueError) as reason:
        raise DataError(f"{file}: {reason}. Give an image.") from None
    info = {**example, "img_path": str(file), "img_id": index, "sample_idx": 1_000_000_000 + index}
    if "bbox" in info:
        info["bbox"] = type(info["bbox"])(info["bbox"].shape, info["bbox"].dtype)
        info["bbox"][:] = (0, 0, width, height)
    return info


def look(trial: Trial, file: Path, images: Sequence[Path], out: Path, *, data: Path, device: str) -> list[dict[str, str]]:
    """Write ``prediction-I.png`` for each image, and ``attention-I.jpg`` where the method offers maps.

    Args:
        trial: says the model; its plugins are loaded.
        file: of its weights.
        data: the dataset's folder, of which one test sample says what a sample has.

    Returns:
        For each image its path, what was predicted in words, and the file of the prediction.

    Raises:
        DataError: an image cannot be read.
        UsageError: the weights are those of another model, or nothing is predicted of an image alone.
    """
    room = family(trial.family).room("pictures")
    if not hasattr(room, "marks"):
        raise UsageError(f"benchmarks of {trial.family} predict nothing of an image alone that could be drawn.")
    with tempfile.TemporaryDirectory() as work_dir, openmmlab.explained():
        runner = loaded(trial, file, data=data, work_dir=Path(work_dir), device=device)
        evaluator = runner.test_evaluator
        loader = _Images(runner.test_dataloader, images)
        evaluator.dataset_meta = loader.metainfo
        marks = partial(room.marks, evaluator=evaluator)
        runner.model.eval()
        out.mkdir(parents=True, exist_ok=True)
        told = []
        for index, sample in enumerate(loader.samples):
            with torch.no_grad():
                batch = runner.model.data_preprocessor(loader.collate_fn([sample]), False)
                (predicted,) = runner.model(batch["inputs"], batch.get("data_samples"), mode="predict")
            if "pred_sem_seg" in predicted:
                predicted.gt_sem_seg = predicted.pred_sem_seg
            if "pred_position" in predicted:
                predicted.position, predicted.quaternion = predicted.pred_position, predicted.pred_quaternion
            said = marks(predicted)["pred_position" not in predicted]
            if "score_map" in predicted:  # the threshold of its box was chosen for other images
                said = Marks(text=said.text)
            picture = out / f"prediction-{index}.png"
            write_image(picture, marked(enlarged(as_image(batch["inputs"][0])), said, true=False))
            told.append({"image": str(images[index]), "predicted": said.text, "picture": str(picture)})
        diagnose(runner.model, loader, images=len(images), pictured=len(images), pictures=out)
        return told
