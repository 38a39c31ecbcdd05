"""Networks of timm and torchvision as OpenMMLab backbones: they return the maps of the levels that are asked for, untrained."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from harness.errors import UsageError, did_you_mean

_SIZES = ((224, 256), (256, 256), (224, 224))
"""(H, W) of an image that is passed through; the first tells rows from columns, others suit networks that take no other."""

_ANY_SIZE: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False}, {})
"""How timm's networks are told to take images of any size: position encodings are interpolated, windows cut anew."""


@MODELS.register_module()
class TimmBackbone(nn.Module):
    """A network of timm (1.0 or later), by ``forward_intermediates``.

    Its levels are timm's: stages of a convolutional network, blocks of a vision transformer, whose maps are normalized as the
    network's own head sees them. What lies behind the last level is taken out.

    Forward: (B, 3, H, W) -> tuple of (B, C_i, H_i, W_i).

    Args:
        name: as timm lists it, e.g. ``resnet18`` or ``vit_tiny_patch16_224``.
        out_indices: the levels; all by default.

    Raises:
        UsageError: timm is not installed, has no such network, or cannot give its maps.
    """

    def __init__(self, name: str, out_indices: Sequence[int] | None = None):
        super().__init__()
        try:
            timm = import_module("timm")
        except ImportError:
            raise UsageError("model.backbone: networks of timm need that package. Run `pip install timm`.") from None
        if not timm.is_model(name):
            raise did_you_mean(name, timm.list_models(), "network of timm")
        network: Any = _of_any_size(timm.create_model, name)
        if not hasattr(network, "forward_intermediates"):
            raise UsageError(f"model.backbone: timm's '{name}' gives no maps (forward_intermediates). Take another one.")
        self.levels = None if out_indices is None else [*out_indices]
        if self.levels is not None:
            network.prune_intermediate_layers(self.levels, prune_norm=False, prune_head=True)
        self.model: nn.Module = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        network: Any = self.model
        found = network.forward_intermediates(images, indices=self.levels, norm=True, output_fmt="NCHW", intermediates_only=True)
        return tuple(found)


def _of_any_size(create: Any, name: str) -> nn.Module:
    *tried, last = _ANY_SIZE
    for options in tried:
        try:
            made: nn.Module = create(name, pretrained=False, **options)
            return made
        except TypeError:
            continue
    made = create(name, pretrained=False, **last)
    return made


def is_timm_transformer(name: str) -> bool:
    """Whether a network of timm is a plain vision transformer."""
    module: str = import_module("timm").models.model_entrypoint(name).__module__
    return module.rpartition(".")[2] in ("vision_transformer", "deit")


@MODELS.register_module()
class TorchvisionBackbone(nn.Module):
    """A classifier of torchvision, cut behind the last module at each stride.

    Level 0 is the finest: of ``resnet18`` the stem, then ``layer1`` to ``layer4``.

    Forward: (B, 3, H, W) -> tuple of (B, C_i, H_i, W_i).

    Args:
        name: as torchvision lists it, e.g. ``resnet18`` or ``convnext_tiny``.
        out_indices: the levels; all by default.

    Raises:
        UsageError: torchvision has no such classifier, or it has no maps.
    """

    def __init__(self, name: str, out_indices: Sequence[int] | None = None):
        super().__init__()
        import torchvision
        from torchvision.models.feature_extraction import create_feature_extractor

        known = torchvision.models.list_models(module=torchvision.models)
        if name not in known:
            raise did_you_mean(name, known, "network of torchvision")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of slow first values, which are not ours to choose
            made = torchvision.models.get_model(name, weights=None)
        places = _places(made)
        if not places:
            raise UsageError(f"model.backbone: torchvision's '{name}' has no maps. Take another one; timm's have.")
        wanted = range(len(places)) if out_indices is None else out_indices
        self.model = create_feature_extractor(made, {places[level]: str(level) for level in wanted})

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.model(images).values())


def _places(network: nn.Module) -> list[str]:
    """The last module at each stride, finest first, that returns a map with channels first; of its parts, and theirs."""
    height, width = _SIZES[0]
    last: dict[int, str] = {}

    def look(path: str) -> Any:
        def seen(_module: nn.Module, _given: Any, out: Any) -> None:
            if isinstance(out, Tensor) and (stride := stride_of(out, (height, width))) and 1 < stride < min(height, width):
                last[stride] = path

        return seen

    nested = [
        (f"{a}.{b}" if b else a, inner) for a, part in network.named_children() for b, inner in part.named_modules() if b.count(".") == 0
    ]
    handles = [module.register_forward_hook(look(path)) for path, module in nested]
    network.eval()
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, height, width))
    except Exception:  # of a transformer, which takes images of its own size only and has no maps
        return []
    finally:
        for handle in handles:
            handle.remove()
        network.train()
    return [last[stride] for stride in sorted(last)]


def stride_of(out: Tensor, size: tuple[int, int]) -> int | None:
    """Pixels between two positions of a map (B, C, H, W) of an image of ``size``; ``None`` where it is none."""
    if out.ndim != 4 or not out.shape[2] or not out.shape[3]:
        return None
    (rows, rest), (columns, other) = divmod(size[0], out.shape[2]), divmod(size[1], out.shape[3])
    return rows if rows == columns and not rest and not other else None


def maps_of(network: nn.Module) -> list[tuple[int, int | None]]:
    """Width and stride of each output of a network, by a pass of an image of zeros; the stride ``None`` where an output is no map.

    Raises:
        UsageError: the pass fails.
    """
    network.eval()  # not chained: OpenMMLab backbones override train() and return nothing
    failed: Exception | None = None
    for size in _SIZES:
        try:
            with torch.no_grad():
                out = network(torch.zeros(1, 3, *size))
        except Exception as error:
            failed = failed or error
            continue
        found = [out] if isinstance(out, Tensor) else [*out]
        return [(one.shape[-1] if one.ndim == 3 else one.shape[1], stride_of(one, size)) for one in found]
    raise UsageError(
        f"model.backbone: an image cannot be passed through it to find the width of its outputs ({failed}). Give them as _channels."
    )
