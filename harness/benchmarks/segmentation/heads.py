"""Heads as mmseg builds them for each method, where these are not the skeleton that all methods share.

The table says how :class:`~harness.benchmarks.segmentation.mm.head.ContextHead` becomes mmseg's own head, of the same weights and the
same logits (``tests/parity/test_released.py``), and which parameters the method has there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Head:
    """A method's head in mmseg's base configurations."""

    bare: bool = False
    """One convolution before the method, none behind it, and the head's input is not joined again."""
    halved: bool = False
    """What follows the method has half its width (EMANet: 256 behind 512)."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Of the method, unless it says otherwise."""

    def of_width(self, channels: int) -> dict[str, Any]:
        """Arguments of the head, where the method has ``channels``."""
        return ({"num_convs": 1, "concat_input": False} if self.bare else {}) | (
            {"channels": channels // 2, "context_channels": channels} if self.halved else {}
        )


MMSEG: dict[str, Head] = {
    "non-local": Head(params={"use_scale": True, "norm": True}),
    "gc-block": Head(params={"ratio": 0.25}),
    "dnl": Head(params={"norm": True}),
    "aspp-deeplabv3": Head(bare=True, params={"at": "input"}),
    "danet": Head(bare=True, params={"branches": "own"}),
    "ann": Head(bare=True, params={"at": "input"}),
    "emanet": Head(halved=True),
    "isanet": Head(bare=True),
    "ocrnet": Head(bare=True, params={"coarse": "backbone"}),
    "psanet": Head(bare=True, params={"at": "input", "pad": 1}),
}
"""Plugin -> its head in mmseg; every other method has the skeleton there, too, or is not there."""
