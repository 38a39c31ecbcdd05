"""What a benchmark of mask propagation may say about its videos, whatever their format, and about how masks are propagated."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from harness.benchmarks.options import DataOptions, Length, ModelOptions, NoSchedule

__all__ = ["NoSchedule", "PropagationData", "PropagationModel"]


class PropagationData(DataOptions):
    """Common to all formats."""

    val_share: ClassVar[float] = 0.0  # type: ignore[misc]  # no option here: nothing is trained, so that nothing is held out of it
    size: Length = 480
    """Shorter side of the frames that the network sees; scores are taken at the frames' own size all the same."""
    multiple: Length = 64
    """The longer side that the network sees is the largest multiple of it that keeps the proportions."""

    def seen(self, height: int, width: int) -> tuple[int, int]:
        """(H, W) at which the network sees a frame: ``read_frame`` of DINO's script."""
        short, long = min(height, width), max(height, width)
        other = max(self.size * long // short // self.multiple, 1) * self.multiple
        return (other, self.size) if height > width else (self.size, other)


class PropagationModel(ModelOptions):
    """``model:`` of a benchmark of mask propagation."""

    frozen: bool = True
    """Keep the features of each frame on disk. ``false``: they are computed each time, and ``weights`` may be missing: a network as it is
    drawn."""
    level: int | None = Field(default=None, ge=0)
    """Which output of a named backbone is compared; its last one by default. Of a config given by hand it is the last that it returns."""
    context: int = Field(default=7, ge=0, le=1 << 10)
    """How many frames before each, with the masks that were propagated to them, are looked at beside the first one."""
    radius: int = Field(default=12, ge=0, le=1 << 10)
    """Positions to each side, in rows and columns of the feature map, at which a position looks; 0: at all of them."""
    neighbours: int = Field(default=5, ge=1, le=1 << 12)
    """The most similar positions, over all frames that are looked at, whose masks are averaged."""
    temperature: float = Field(default=0.1, gt=0)
    """What cosines are divided by before their softmax weighs these masks."""
    upsampling: Literal["bilinear", "nearest"] = "bilinear"
    """How a propagated mask comes from the feature map to the frame that the network saw."""
    stretched: bool = True
    """Stretch the mask of each object and of the background to 0 to 1 over a frame before the largest one wins at a pixel."""

    @model_validator(mode="after")
    def _no_blocks(self) -> PropagationModel:
        if self.block_at:
            raise ValueError("nothing is trained, so that blocks would stay as they are drawn: leave block_at out")
        return self
