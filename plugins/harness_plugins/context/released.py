"""Released decode heads of mmseg as heads of this harness: which of its tensors is which of ours."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

_SKELETON = {"convs.": "convs.", "conv_cat.": "conv_cat.", "conv_seg.": "conv_seg."}

NAMES: dict[str, dict[str, str]] = {
    "identity": _SKELETON,
    "non-local": {**_SKELETON, "nl_block.": "context."},
    "gc-block": {**_SKELETON, "gc_block.": "context."},
    "dnl": {
        **_SKELETON,
        **{f"dnl_block.{name}.conv.": f"context.{name}." for name in ("theta", "phi", "g")},
        "dnl_block.conv_out.conv.": "context.out.",
        "dnl_block.conv_out.bn.": "context.norm.",
        "dnl_block.conv_mask.": "context.mask.",
    },
    "aspp-deeplabv3": {
        "image_pool.": "context.image_pool.",
        "aspp_modules.": "context.aspp_modules.",
        "bottleneck.": "convs.0.",
        "conv_seg.": "conv_seg.",
    },
    "danet": {"pam_in_conv.": "convs.0.", "pam": "context.pam", "cam": "context.cam", "conv_seg.": "conv_seg."},
    "ccnet": {**_SKELETON, "cca.": "context.cca."},
    "ann": {"fusion.": "context.fusion.", "bottleneck.": "convs.0.", "context.": "context.context.", "conv_seg.": "conv_seg."},
    "emanet": {
        "ema_in_conv.": "convs.0.",
        "ema_": "context.ema_",
        "bottleneck.": "convs.1.",
        "conv_cat.": "conv_cat.",
        "conv_seg.": "conv_seg.",
    },
    "isanet": {
        "in_conv.": "convs.0.",
        "global_relation.": "context.global_relation.",
        "local_relation.": "context.local_relation.",
        "out_conv.": "context.out_conv.",
        "conv_seg.": "conv_seg.",
    },
    "ocrnet": {
        "0.convs.0.": "context.coarse.0.",
        "0.conv_seg.": "context.coarse.1.",
        "1.bottleneck.": "convs.0.",
        "1.object_context_block.": "context.attention.",
        "1.conv_seg.": "conv_seg.",
    },
    "psanet": {
        "reduce.": "context.collect.reduce.",
        "attention.": "context.collect.attention.",
        "reduce_p.": "context.distribute.reduce.",
        "attention_p.": "context.distribute.attention.",
        "proj.": "context.proj.",
        "bottleneck.": "convs.0.",
        "conv_seg.": "conv_seg.",
    },
}
"""Plugin -> beginnings of names in mmseg's decode head (for OCR: in the list of its two) -> in ``ContextHead``. The first that fits."""

SETTINGS: dict[str, dict[str, object]] = {
    "non-local": {"use_scale": True, "norm": True},
    "gc-block": {"ratio": 0.25},
    "dnl": {"norm": True},
    "ann": {"at": "input"},
    "aspp-deeplabv3": {"at": "input"},
    "danet": {"branches": "own"},
    "ocrnet": {"coarse": "backbone"},
    "psanet": {"at": "input", "pad": 1},
}
"""Plugin -> the parameters with which it is what mmseg's base configuration builds, where they are not the defaults."""


def from_mmseg(plugin: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``ContextHead`` with ``plugin`` from that of the decode head of mmseg.

    Args:
        plugin: a key of :data:`NAMES`, built with :data:`SETTINGS`.
        state: names as in the decode head itself, that is without ``decode_head.``.

    Raises:
        KeyError: mmseg has no head for this plugin, or its head has a tensor of another name.
    """
    found = {}
    for name, value in state.items():
        if (start := next((start for start in NAMES[plugin] if name.startswith(start)), None)) is None:
            raise KeyError(f"'{name}' is no tensor of mmseg's head for {plugin}")
        found[NAMES[plugin][start] + name.removeprefix(start)] = value
    return found
