"""Images and label maps in folders, as mmseg's ``BaseSegDataset`` and SegNet's CamVid have them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from harness.benchmarks.base import SPLITS, Format, Split, relative
from harness.benchmarks.listed import names_in
from harness.benchmarks.options import Options
from harness.benchmarks.segmentation.options import MappedData, SegmentationData
from harness.benchmarks.segmentation.readers.labels import Labels, explained
from harness.benchmarks.segmentation.readers.pairs import Pair, Pairs
from harness.benchmarks.spelled import Spelled, form
from harness.images import search


class Folder(Options):
    """One folder of images and the folder of their label maps, both relative to the dataset's root."""

    images: str
    labels: str
    list: str | None = None
    """A text file with an image a line, with or without its suffix and folder (what stands behind a blank is not read); all images
    of the folder by default."""


class Layout(SegmentationData):
    """What a format of image and label folders tells the reader."""

    @property
    def meaning(self) -> Labels:
        """How the label maps are read."""
        raise NotImplementedError

    @property
    def suffixes(self) -> tuple[str, str]:
        """Of images and of label maps."""
        return ".png", ".png"

    def folders(self, split: Split) -> list[Folder]:
        """The folders of one split; none for a validation split that is held out."""
        raise NotImplementedError


class FolderData(MappedData, Layout):
    """Images and label maps in folders, as mmseg and SegNet's CamVid have them."""

    format: Literal["mmseg-folder"]
    train: list[Folder] = [Folder(images="img_dir/train", labels="ann_dir/train")]
    test: Folder = Folder(images="img_dir/val", labels="ann_dir/val")
    val: Folder | None = None
    """For validation; without it, ``val_share`` of the training images."""
    image_suffix: str = ".png"
    """How the names of images end; case does not matter."""
    label_suffix: str = ".png"
    """Of label maps, which may lie beside the images: a file that ends in both suffixes, as ``1_mask.tif``, is what the longer says."""

    @field_validator("train", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @field_validator("train")
    @classmethod
    def _some(cls, value: list[Folder]) -> list[Folder]:
        if not value:
            raise ValueError("give at least one folder of images and labels")
        return value

    @property
    def meaning(self) -> Labels:
        return explained(self)

    @property
    def suffixes(self) -> tuple[str, str]:
        return self.image_suffix, self.label_suffix

    def folders(self, split: Split) -> list[Folder]:
        return {"train": self.train, "test": [self.test], "val": [self.val] if self.val else []}[split]


def read(root: Path, data: Layout) -> Pairs:
    """The pairs of all splits; label maps without an image are warned of, since their owner may not know."""
    listing = Pairs(labels=replace(data.meaning, exif=data.exif == "apply"))
    for split in SPLITS:
        told = sum(problem.fatal for problem in listing.problems)
        folders = data.folders(split)
        if twice := [folder for place, folder in enumerate(folders) if folder in folders[:place]]:
            where = twice[0].list or twice[0].images
            listing.add(f"{split} split", f"{where} is named twice, so that each of its images would count twice", "Name it once.")
        for folder in folders:
            listing.of(split).extend(_pairs(root, data, folder, split, listing))
        if folders and not listing.of(split) and sum(problem.fatal for problem in listing.problems) == told:
            where = ", ".join(folder.list or folder.images for folder in folders)
            mend = f"Images are the files that end in '{data.suffixes[0]}' (image_suffix)."
            listing.add(where, f"the {split} split has no image", mend)
    return listing


def _pairs(root: Path, data: Layout, folder: Folder, split: Split, listing: Pairs) -> list[Pair]:
    image_suffix, label_suffix = data.suffixes
    images, labels = root / folder.images, root / folder.labels
    if not images.is_dir():
        what = f"there is no folder {folder.images} under {root}"
        listing.add(f"{split} split", what, "Create it, or correct the folder names in data.")
        return []
    apart = images.resolve() != labels.resolve()
    if folder.list:
        listing.sources.append(root / folder.list)
        stem_of = partial(_stem, folder=folder, suffix=image_suffix)
        known = Spelled(images)
        named = names_in(root, folder.list, listing, lambda line: known.file(stem_of(line), [image_suffix]) is not None)
        files = {stem: known.file(stem, [image_suffix]) or images / f"{stem}{image_suffix}" for stem in map(stem_of, named)}
    else:
        there = search(images, [image_suffix])
        listing.left_out += there.passed_over
        shown = there.files if apart else _but(there.files, image_suffix, label_suffix)
        files = {file.relative_to(images).as_posix()[: -len(image_suffix)]: file for file in shown}
    mapped = search(labels, [label_suffix]).files
    mapped = mapped if apart else _but(mapped, label_suffix, image_suffix)
    maps = {file.relative_to(labels).as_posix()[: -len(label_suffix)]: file for file in mapped}
    alike = {form(stem): file for stem, file in maps.items()}
    if not folder.list:
        known_stems = {*map(form, files)}
        for stem in sorted(stem for stem in maps if form(stem) not in known_stems):
            what = f"label map without an image in {folder.images}"
            listing.add(relative(maps[stem], root), what, "Add the image, or delete it.", fatal=False)
    expected = ((stem, maps.get(stem) or alike.get(form(stem), labels / f"{stem}{label_suffix}")) for stem in files)
    return [Pair(f"{folder.images}/{stem}", files[stem], file) for stem, file in expected]


def _but(files: list[Path], suffix: str, other: str) -> list[Path]:
    """Without those that the other suffix describes better: in a folder of both ``1_mask.tif`` is no image, though it ends in ``.tif``."""
    return [file for file in files if len(other) <= len(suffix) or not file.name.lower().endswith(other.lower())]


def _stem(name: str, folder: Folder, suffix: str) -> str:
    """A listed image as its path in the folder without suffix: lists name it with either, and some with the folder itself."""
    name = name.replace("\\", "/").lstrip("/")
    for prefix in (f"{folder.images}/", f"{Path(folder.images).name}/"):
        at = name.find(prefix)
        if at == 0 or (at > 0 and name[at - 1] == "/"):
            name = name[at + len(prefix) :]
            break
    return name[: -len(suffix)] if name.lower().endswith(suffix.lower()) else name


FORMAT = Format(FolderData, read)
