"""The decode head with a ``context`` slot."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, cast

import torch
from mmcv.cnn import ConvModule
from mmengine.registry import MODELS
from mmseg.models.decode_heads import FCNHead
from mmseg.models.utils import resize
from torch import Tensor

from harness import slots


@MODELS.register_module()
class ContextHead(FCNHead):
    """``mmseg.FCNHead`` with a context module between its two convolutions.

    conv3x3 -> CONTEXT -> conv3x3 -> [concat with the head's input -> conv3x3] -> dropout -> conv1x1, the skeleton that
    mmseg's non-local, GC, DNL, CC and EMA heads share. With ``identity`` it is FCN.

    A context module maps (B, channels, H, W) to the same shape. Some methods need more than that, and get it where
    they ask for it by name:

    * a constructor argument ``num_classes``: the number of classes;
    * a constructor argument ``low_channels``: the width of the next shallower level of the backbone, or ``None``
      where the head sees one level only; where there is one, ``forward`` is called with ``low=`` that level's map;
    * a constructor argument ``in_channels``: the width of the head's input; an argument ``source`` of ``forward``: that input;
    * an attribute ``before_channels`` that is a number: its method ``before`` makes of the head's input (and ``low=``) the map of
      that width which the first convolution reads;
    * an argument ``auxiliary`` of ``forward``: a dict that the module fills, in training, with logits
      (B, num_classes, h, w), which are trained with the head's own loss, times the module's ``auxiliary_weight``.

    Args:
        plugin: name of a loaded plugin of the ``context`` or ``block`` slot.
        params: the method's parameters.
        level_channels: widths of all maps the head is given, shallow to deep; none of another level is offered without them.
        context_channels: width of the context module where it is not ``channels``, that of what follows (mmseg's ``EMAHead``).
        kwargs: of ``mmseg.FCNHead``.
    """

    def __init__(
        self,
        plugin: str,
        params: dict[str, Any] | None = None,
        level_channels: Sequence[int] = (),
        context_channels: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        width = context_channels or self.channels
        low_channels = level_channels[-2] if len(level_channels) > 1 else None
        offered = {"num_classes": self.num_classes, "low_channels": low_channels, "in_channels": self.in_channels}
        cls = slots.registry().module_dict.get(plugin)
        asked = inspect.signature(cls).parameters if cls else {}
        context = {name: value for name, value in offered.items() if name in asked}
        self.context = slots.build(plugin, params or {}, channels=width, **context)
        self.fuses_levels = context.get("low_channels") is not None
        self.takes = {name for name in ("auxiliary", "source") if name in inspect.signature(self.context.forward).parameters}
        self.before_channels = getattr(self.context, "before_channels", None)
        for index, widths in enumerate([(self.before_channels or self.in_channels, width), (width, self.channels)][: self.num_convs]):
            own = self.convs[index]
            if (own.in_channels, own.out_channels) != widths:
                norm = {"conv_cfg": self.conv_cfg, "norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
                self.convs[index] = ConvModule(*widths, self.kernel_size, padding=self.kernel_size // 2, **norm)

    def _forward_feature(self, inputs: list[Tensor], auxiliary: dict[str, Tensor] | None = None) -> Tensor:
        x = self._transform_inputs(inputs)
        low: dict[str, Any] = {"low": inputs[-2]} if self.fuses_levels else {}
        offered = {"source": x} | ({} if auxiliary is None else {"auxiliary": auxiliary})
        extra = low | {name: value for name, value in offered.items() if name in self.takes}
        read = cast(Any, self.context).before(x, **low) if self.before_channels else x
        features: Tensor = self.context(self.convs[0](read), **extra)
        for conv in self.convs[1:]:
            features = conv(features)
        if self.concat_input:
            features = self.conv_cat(torch.cat([x, features], dim=1))
        return features

    def loss(self, inputs: list[Tensor], batch_data_samples: list[Any], train_cfg: Any) -> dict[str, Tensor]:
        """The head's loss, and that of each of the context module's auxiliary logits."""
        auxiliary: dict[str, Tensor] = {}
        losses: dict[str, Tensor] = self.loss_by_feat(self.cls_seg(self._forward_feature(inputs, auxiliary)), batch_data_samples)
        label = self._stack_batch_gt(batch_data_samples).squeeze(1)
        for name, logits in auxiliary.items():
            logits = resize(logits, size=label.shape[1:], mode="bilinear", align_corners=self.align_corners)
            loss = self.loss_decode(logits, label, ignore_index=self.ignore_index)
            losses[f"loss_{name}"] = self.context.auxiliary_weight * loss
        return losses
