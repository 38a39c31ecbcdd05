"""The block that does nothing."""

from __future__ import annotations

from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("identity", slot="block")
class Identity(nn.Identity):
    """Returns its input, bit for bit: the baseline of the ``block`` and ``context`` slots.

    Formula:
        y = x

    Shapes:
        (B, C, H, W) → (B, C, H, W).

    Parameters:
        0.

    Map:
        None: nothing attends.

    Source:
        None: the model without a block. Compared with ``mmseg.FCNHead``, which the context head is with it.

    Args:
        channels: C of the input; not needed, taken because every block is given it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``."""
        return x
