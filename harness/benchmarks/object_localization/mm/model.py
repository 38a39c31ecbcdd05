"""The model: an image classifier that also says where it looked."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from mmengine.registry import MODELS
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from harness.benchmarks.object_localization.mm.maps import CAM, CLASS_TOKEN, class_activation, last_attention, own_maps, recording
from harness.benchmarks.object_localization.scores.boxes import finite
from harness.benchmarks.object_localization.scores.discovery import dino_seg, lost
from harness.benchmarks.parts.frozen import FrozenBackbone


@MODELS.register_module()
class LocalizingClassifier(ImageClassifier):
    """mmpretrain's ``ImageClassifier``; its predictions carry a score map and, where a rule asks for it, a box.

    Fields added to each data sample: ``score_map`` (h, w) numpy, ``map_source`` text, ``map_extent`` (width, height)
    of the padded input, and ``cell_box`` (4,) as shares of that extent or ``None``.

    Args:
        box: see ``LocalizationModel.box``.
        attention_head: see ``LocalizationModel.head``.
        lost_features: see ``LocalizationModel.lost_features``.
        lost_patches: see ``LocalizationModel.lost_patches``.
        parity: see ``LocalizationModel.parity``.
    """

    def __init__(
        self,
        *args: Any,
        box: str = "map",
        attention_head: int | None = None,
        lost_features: str = "keys",
        lost_patches: int = 100,
        parity: bool = False,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.box = box
        self.attention_head = attention_head
        self.lost_features = lost_features
        self.lost_patches = lost_patches
        self.parity = parity

    def predict(self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs: Any) -> list[DataSample]:
        """Classify, and add the fields described above."""
        seen: list[Tensor] = []

        def keep(_module: Any, arguments: tuple[Any, ...], output: Any) -> None:
            # a block in the pooling slot returns the map that is averaged; a pooling is given it
            seen.append(output if output.ndim == 4 else arguments[0])

        hook = self.neck.method.register_forward_hook(keep)
        # what a transformer's attention does is not among the features that a frozen backbone remembers
        wants_keys = self.box == "lost" and self.lost_features == "keys"
        wants_attention = wants_keys or self.box == "dino-seg"
        frozen = isinstance(self.backbone, FrozenBackbone) and wants_attention and last_attention(self.backbone) is not None
        try:
            if frozen:
                self.backbone.caching = False
            with recording(self, cast(tuple[int, int], tuple(inputs.shape[-2:])), self.attention_head) as recorder:
                feats = self.extract_feat(inputs)
        finally:
            hook.remove()
            if frozen:
                self.backbone.caching = True
        predicted: list[DataSample] = self.head.predict(feats, data_samples, **kwargs)
        features = seen[-1].float()
        scores = torch.stack([sample.pred_score for sample in predicted])
        labels = [
            sample.gt_label.to(scores.device) if "gt_label" in sample else row.argmax()[None]
            for sample, row in zip(predicted, scores, strict=True)
        ]
        activation = class_activation(features, self.head.fc.weight.float(), labels, scores)
        offered = own_maps(recorder, len(inputs)) if self.box != "cam" else [None] * len(inputs)
        default = (activation, CAM)
        if self.box == "dino-seg" and None in offered and (attended := recorder.class_token()) is not None and len(attended) == len(inputs):
            default = (attended, CLASS_TOKEN)
        for index, sample in enumerate(predicted):
            values, source = offered[index] or (default[0][index], default[1])
            score, box = finite(values.double().cpu().numpy()), None
            if self.box == "lost":
                keys = recorder.keys if wants_keys and recorder.keys is not None and len(recorder.keys) == len(inputs) else None
                source = "LOST on features" if keys is None else "LOST on keys"
                tokens = (features if keys is None else keys)[index].cpu().numpy()
                box, score = lost(tokens, patches=self.lost_patches, standardize=keys is None)
                # as published, LOST's box ends with the image, that of DINO-seg with the padding
                shape = np.array(sample.get("img_shape", inputs.shape[-2:])) / inputs.shape[-2:]
                box = np.minimum(box, np.tile(shape * score.shape, 2)[::-1])
            elif self.box == "dino-seg":
                # attention is a mass; class activation becomes one above its minimum
                box = dino_seg(score - min(score.min(), 0.0), parity=self.parity)
            sample.set_field(score, "score_map")
            sample.set_field(source, "map_source")
            sample.set_field((inputs.shape[-1], inputs.shape[-2]), "map_extent")
            sample.set_field(None if box is None else box / np.array(score.shape[::-1] * 2), "cell_box")
        return predicted
