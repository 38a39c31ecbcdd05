"""Images and label maps in folders, listed the way mmseg's ``BaseSegDataset`` does, without mmseg."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.benchmarks.base import DATA, SPLITS, Format, Split, relative
from harness.benchmarks.options import Options
from harness.benchmarks.segmentation.options import LabelledData, SegmentationData
from harness.benchmarks.segmentation.readers.pairs import Pair, Pairs


class Folder(Options):
    """One folder of images and the folder of their label maps, both relative to the dataset's root."""

    images: str
    labels: str
    list: str | None = None
    """A text file with one image name (without suffix) per line; all images of the folder by default."""


class Layout(SegmentationData):
    """What a format of image and label folders tells the reader."""

    @property
    def names(self) -> list[str]:
        """Classes in label order."""
        raise NotImplementedError

    @property
    def suffixes(self) -> tuple[str, str]:
        """Of images and of label maps."""
        return ".png", ".png"

    def folders(self, split: Split) -> list[Folder]:
        """The folders of one split."""
        raise NotImplementedError

    @property
    def class_count(self) -> int:
        return len(self.names)

    def dataset(self, split: Split, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
        parts = [self._part(folder, split, pipeline) for folder in self.folders(split)]
        return parts[0] if len(parts) == 1 else {"type": "ConcatDataset", "datasets": parts}

    def _part(self, folder: Folder, split: Split, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "type": "mmseg.BaseSegDataset",
            "data_root": DATA,
            "data_prefix": {"img_path": folder.images, "seg_map_path": folder.labels},
            "ann_file": folder.list or "",
            "img_suffix": self.suffixes[0],
            "seg_map_suffix": self.suffixes[1],
            "metainfo": {"classes": self.names},
            "ignore_index": self.ignore_index,
            "reduce_zero_label": self.reduce_zero_label,
            "pipeline": pipeline,
            "test_mode": split == "test",
        }


class FolderData(Layout, LabelledData):
    """Images and label maps in folders, as mmseg and SegNet's CamVid have them."""

    format: Literal["mmseg-folder"]
    classes: list[str] = Field(min_length=2)
    """Names in label order."""
    palette: list[tuple[int, int, int]] | None = None
    """RGB per class, for pictures only."""
    train: list[Folder] = Field(default=[Folder(images="img_dir/train", labels="ann_dir/train")], min_length=1)
    test: Folder = Folder(images="img_dir/val", labels="ann_dir/val")
    image_suffix: str = ".png"
    label_suffix: str = ".png"

    @field_validator("train", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _names_are_unique(self) -> FolderData:
        twice = sorted({name for name in self.classes if self.classes.count(name) > 1})
        if twice:
            raise ValueError(f"classes are given twice: {', '.join(twice)}")
        if self.palette is not None and len(self.palette) != len(self.classes):
            raise ValueError(f"palette has {len(self.palette)} colours for {len(self.classes)} classes")
        return self

    @property
    def names(self) -> list[str]:
        return list(self.classes)

    @property
    def colours(self) -> list[tuple[int, int, int]] | None:
        return self.palette

    @property
    def suffixes(self) -> tuple[str, str]:
        return self.image_suffix, self.label_suffix

    def folders(self, split: Split) -> list[Folder]:
        return self.train if split == "train" else [self.test]


def read(root: Path, data: Layout) -> Pairs:
    """The pairs of both splits; label maps without an image are warned of, since their owner may not know."""
    listing = Pairs(classes=data.names)
    found: dict[Split, list[Pair]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        folders = data.folders(split)
        told = sum(problem.fatal for problem in listing.problems)
        for folder in folders:
            pairs = _pairs(root, data, folder, split, listing)
            found[split] += pairs
            if not folder.list:
                _orphans(root, data, folder, {pair.label for pair in pairs}, listing)
        if not found[split] and sum(problem.fatal for problem in listing.problems) == told:
            where = ", ".join(folder.list or folder.images for folder in folders)
            mend = f"Images are the files that end in '{data.suffixes[0]}' (image_suffix)."
            listing.add(where, f"the {split} split has no image", mend)
    listing.train, listing.test = found["train"], found["test"]
    return listing


def _pairs(root: Path, data: Layout, folder: Folder, split: Split, listing: Pairs) -> list[Pair]:
    image_suffix, label_suffix = data.suffixes
    base = root / folder.images
    if folder.list:
        listing.sources.append(root / folder.list)
        try:
            lines = (root / folder.list).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            listing.add(f"{split} split", f"cannot read the list {folder.list}: {error}", "Write one image name per line.")
            return []
        stems = [line.strip().removesuffix(image_suffix) for line in lines if line.strip()]
    else:
        if not base.is_dir():
            what = f"there is no folder {folder.images} under {root}"
            listing.add(f"{split} split", what, "Create it, or correct the folder names in data.")
            return []
        files = sorted(p for p in base.rglob(f"*{image_suffix}") if p.is_file() and not p.name.startswith("."))
        stems = [p.relative_to(base).as_posix().removesuffix(image_suffix) for p in files]
    return [
        Pair(f"{folder.images}/{stem}", base / f"{stem}{image_suffix}", root / folder.labels / f"{stem}{label_suffix}") for stem in stems
    ]


def _orphans(root: Path, data: Layout, folder: Folder, wanted: set[Path], listing: Pairs) -> None:
    labels = root / folder.labels
    if labels.is_dir() and (root / folder.images).is_dir():
        for file in sorted(set(labels.rglob(f"*{data.suffixes[1]}")) - wanted):
            what = f"label map without an image in {folder.images}"
            listing.add(relative(file, root), what, "Add the image, or delete it.", fatal=False)


FORMAT = Format(FolderData, read)
