"""The model: a backbone, and masks that follow its features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from harness.benchmarks.mask_propagation.mm.dataset import Film
from harness.benchmarks.mask_propagation.mm.propagation import Follower, winner

_PATCH = 4
"""Side of the pictures whose numbers are what a position's pixels are compared by."""


@MODELS.register_module()
class MaskPropagation(BaseModel):
    """Propagates the masks of a video's first frame by the last map of a backbone, and by the frames' pixels for comparison.

    Its prediction of an object is the data sample with ``propagated`` and ``by_pixels``, (T, H, W) uint8 each: the numbers of the
    video's objects, or 0, in the size of the frames. They are those of all objects of its video, which follows once for all.

    Forward: (B, 3, H, W) normalized frames -> (B, C, h, w) features.

    Args:
        propagation: see :class:`harness.benchmarks.mask_propagation.options.PropagationModel`.
    """

    def __init__(self, backbone: dict[str, Any], propagation: dict[str, Any], data_preprocessor: dict[str, Any] | None = None):
        super().__init__(data_preprocessor)
        self.backbone = cast(Any, MODELS.build(backbone))
        options = dict(propagation)
        self._ending = {name: options.pop(name) for name in ("upsampling", "stretched")}
        self._options = options
        self._last: tuple[Film, dict[str, np.ndarray]] | None = None

    def init_weights(self) -> None:
        if hasattr(self.backbone, "init_weights"):
            self.backbone.init_weights()

    def forward(self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = "tensor") -> Any:
        if mode == "predict":
            return [self._predicted(sample) for sample in data_samples or []]
        found = self.backbone(inputs)
        return found if isinstance(found, Tensor) else found[-1]

    def _predicted(self, sample: DataSample) -> DataSample:
        film: Film = sample.film
        if self._last is None or self._last[0] != film:
            self._last = film, self._followed(film)
        for name, labels in self._last[1].items():
            sample.set_field(labels, name)
        return sample

    def _followed(self, film: Film) -> dict[str, np.ndarray]:
        """The numbers (T, H, W) of the objects in all frames, by features and by pixels; in the first they are what was given."""
        known = film.video.labels(0)
        labels: dict[str, list[np.ndarray]] = {"propagated": [known], "by_pixels": [known]}
        followers: dict[str, Follower] = {}
        for place in range(len(film)):
            images = self._seen(film, place)
            # called as a whole, so that whoever counts passes sees that it goes on
            feature: Tensor = self(images)[0]
            described = {"propagated": feature, "by_pixels": _pixels(images, *feature.shape[-2:])}
            if not place:
                given = film.given(*feature.shape[-2:]).to(feature.device)
                followers = {name: Follower(found, given, **self._options) for name, found in described.items()}
                continue
            for name, follower in followers.items():
                seen = winner(follower.masks(described[name]), images.shape[-2:], **self._ending).to("cpu", torch.uint8).numpy()
                labels[name].append(np.asarray(Image.fromarray(seen).resize(known.shape[::-1], Image.Resampling.NEAREST)))
        return {name: np.stack(found) for name, found in labels.items()}

    def _seen(self, film: Film, place: int) -> Tensor:
        """(1, 3, H, W) normalized."""
        preprocess = cast("Callable[..., dict[str, Any]]", self.data_preprocessor)
        found: Tensor = preprocess({"inputs": film.frame(place)[None]}, False)["inputs"]
        return found


def _pixels(images: Tensor, height: int, width: int) -> Tensor:
    """Features (C, h, w) that are nothing but pixels: those of a picture of 4 x 4 at each position."""
    small = F.interpolate(images, (_PATCH * height, _PATCH * width), mode="area")
    return F.pixel_unshuffle(small, _PATCH)[0]
