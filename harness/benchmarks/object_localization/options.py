"""What a localization benchmark may say about its data, whatever its format, and about its boxes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.benchmarks.options import ModelOptions, ShrunkData


class LocalizationData(ShrunkData):
    """Common to all formats."""

    size: int = Field(default=224, ge=16, le=1 << 15)
    """Side of the square images the model sees (the aspect ratio is not kept) and of the maps that are scored."""
    full_resolution: bool = False
    """Test images keep their size and are padded with zeros to a multiple of ``pad_to`` (CorLoc's protocol)."""
    pad_to: int = Field(default=16, ge=1)
    augment: Literal["none", "crop-flip"] = "none"
    """``crop-flip``: training images are resized to 8/7 of ``size``, cropped at random and mirrored."""
    calibrate: int = Field(default=100, ge=1)
    """How many training images with boxes choose the threshold of the single box that CorLoc scores; scored images, too, where
    training and test split are the same."""

    @property
    def class_count(self) -> int:
        """Number of classes of the dataset."""
        raise NotImplementedError

    @property
    def class_names(self) -> list[str] | None:
        """Names in label order, where the entry gives them."""
        return None

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several classes; each class then gets its own logistic output."""
        return False

    @property
    def outputs(self) -> int:
        """Outputs of the classifier: a single class gets a second one, background."""
        return max(2, self.class_count)


class LocalizationModel(ModelOptions):
    """``model:`` of a localization benchmark."""

    box: Literal["map", "cam", "dino-seg", "lost"] = "map"
    """Where CorLoc's box comes from. ``map``: the method's own attention, class activation where it has none;
    ``cam``: always class activation; ``dino-seg``: the component that holds 60 % of the mass of the method's
    own attention, of what a transformer backbone's class token attends to in its last layer, or of class activation;
    ``lost``: the features alone. MaxBoxAcc scores the map (``cam``: class activation), LOST's votes for ``lost``."""
    head: int | None = Field(default=None, ge=0)
    """Which head's or vector's map is taken, counted from 0; by default what all have in common. 4 is that of valeoai/LOST for
    DINO-seg. A method with a single map has no choice (0 in billpsomas/simpool)."""
    lost_features: Literal["keys", "last"] = "keys"
    """What LOST compares: the keys of the last attention where there are any (valeoai/LOST), or the last feature map."""
    lost_patches: int = Field(default=100, ge=1)
    """How many patches of the lowest degree may join LOST's seed."""
    parity: bool = False
    """DINO-seg as published, with the component it overlooks."""
    taus: int = Field(default=1000, ge=2)
    """Number of thresholds of MaxBoxAcc."""
