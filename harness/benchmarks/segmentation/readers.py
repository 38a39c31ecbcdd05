"""Find and read images and label maps without mmseg, the way mmseg's datasets do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.benchmarks.segmentation.options import Folder, FolderData, SyntheticData, ToolboxData
from harness.errors import DataError

if TYPE_CHECKING:
    import numpy as np

Split = Literal["train", "test"]
LABEL_MODES = ("L", "P", "1")
"""Pillow modes whose pixels are 8-bit labels."""


@dataclass(frozen=True)
class Pair:
    """An image and its label map."""

    name: str
    image: Path
    label: Path


def folders(options: SyntheticData | FolderData, split: Split) -> list[Folder]:
    """The folders of one split."""
    if isinstance(options, SyntheticData):
        return [Folder(images=split, labels=f"{split}annot")]
    return options.train if split == "train" else [options.test]


def suffixes(options: SyntheticData | FolderData) -> tuple[str, str]:
    """Suffix of images and of label maps."""
    return (".png", ".png") if isinstance(options, SyntheticData) else (options.image_suffix, options.label_suffix)


def pairs_of(options: SyntheticData | FolderData, root: Path, folder: Folder) -> list[Pair]:
    """The image-label pairs of one folder in the order of mmseg's ``BaseSegDataset``, existing or not.

    Raises:
        DataError: the folder or its list is missing or unreadable.
    """
    image_suffix, label_suffix = suffixes(options)
    base = root / folder.images
    if folder.list:
        try:
            lines = (root / folder.list).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read the list {folder.list}: {error}. Write one image name per line.") from error
        stems = [line.strip().removesuffix(image_suffix) for line in lines if line.strip()]
    else:
        if not base.is_dir():
            raise DataError(f"there is no folder {folder.images} under {root}. Create it, or correct the folder names in data.")
        files = sorted(p for p in base.rglob(f"*{image_suffix}") if p.is_file() and not p.name.startswith("."))
        stems = [p.relative_to(base).as_posix().removesuffix(image_suffix) for p in files]
    return [
        Pair(f"{folder.images}/{stem}", base / f"{stem}{image_suffix}", root / folder.labels / f"{stem}{label_suffix}") for stem in stems
    ]


def pairs(options: SyntheticData | FolderData | ToolboxData, root: Path, split: Split) -> list[Pair]:
    """All image-label pairs of a split; mmseg is imported for one of its own dataset classes only.

    Raises:
        DataError: a folder is missing, or mmseg's class refuses its arguments.
    """
    if isinstance(options, ToolboxData):
        from harness.benchmarks.segmentation.toolbox import listed

        return [Pair(Path(image).name, Path(image), Path(label)) for image, label in listed(options, root, split)]
    return [pair for folder in folders(options, split) for pair in pairs_of(options, root, folder)]


def read_image(file: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    import numpy as np
    from PIL import Image

    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def read_label(file: Path, reduce_zero_label: bool = False) -> np.ndarray:
    """The label map (H, W) uint8; with ``reduce_zero_label`` classes count from 0 and former zeros are 255.

    Raises:
        DataError: not an 8-bit single-channel image, or unreadable.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            mode = image.mode
            labels = np.asarray(image).astype(np.uint8)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read the label map {file}: {error}. Write it again as an 8-bit PNG.") from error
    if mode not in LABEL_MODES:
        raise DataError(f"the label map {file} is of mode {mode}. Label maps are 8-bit single-channel images of class numbers.")
    if reduce_zero_label:
        # uint8 wraps 0 to 255; what was 255 stays so
        labels = np.where(labels == 255, 255, labels - np.uint8(1))
    return labels
