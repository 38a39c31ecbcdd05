"""What a detector behind a backbone is compared with: mmdet's detector of the same weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness import slots

CHANNELS, CLASSES, STRIDE = (8, 12), 3, 8


def build(plugin: str, **params: Any) -> nn.Module:
    """In float64, with nothing at a special value."""
    torch.manual_seed(0)
    module = slots.build(plugin, params, channels=CHANNELS, classes=CLASSES).double().eval()
    for parameter in module.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return module


def images() -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Two maps of two images, of which the second is smaller than the batch's."""
    draws = torch.Generator().manual_seed(1)
    maps = tuple(
        torch.randn(2, c, *size, generator=draws, dtype=torch.double) for c, size in zip(CHANNELS, ((10, 12), (5, 6)), strict=True)
    )
    padding = torch.zeros(2, 40, 48, dtype=torch.bool)
    padding[1, 27:], padding[1, :, 35:] = True, True
    return maps, padding


def theirs(config: dict[str, Any], names: dict[str, str], module: nn.Module) -> tuple[Tensor, Tensor]:
    """What mmdet's detector says of :func:`images`, its weights those of ``module``.

    Args:
        config: of the detector; its backbone is not asked.
        names: beginnings of the names of its parameters -> those of the module's.
    """
    from mmdet.structures import DetDataSample
    from mmengine.registry import MODELS, DefaultScope

    DefaultScope.get_instance("detectors", scope_name="mmdet")
    model = MODELS.build({**config, "backbone": {"type": "mmdet.ResNet", "depth": 18}}).double().eval()
    own = {key: value for key, value in model.state_dict().items() if not key.startswith("backbone.")}
    state = module.state_dict()
    given = {key: state[next(mine + key.removeprefix(start) for start, mine in names.items() if key.startswith(start))] for key in own}
    assert {value.data_ptr() for value in given.values()} == {value.data_ptr() for value in state.values()}, "weights that are not used"
    model.load_state_dict(given, strict=False)
    maps, padding = images()
    samples = []
    for one in padding:
        shape = (int((~one[:, 0]).sum()), int((~one[0]).sum()))
        samples.append(DetDataSample(metainfo={"img_shape": shape, "batch_input_shape": padding.shape[1:]}))
    levels = model.neck(maps[-len(config["neck"]["in_channels"]) :])
    return model.bbox_head(**model.forward_transformer(levels, samples))
