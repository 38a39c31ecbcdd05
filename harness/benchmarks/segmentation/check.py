"""What is missing or malformed in a segmentation dataset."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.segmentation.options import FolderData, SyntheticData, ToolboxData
from harness.benchmarks.segmentation.readers import Pair, Split, folders, pairs, pairs_of, read_label, suffixes
from harness.errors import DataError


def problems(options: SyntheticData | FolderData | ToolboxData, root: Path) -> list[Problem]:
    """Every problem found; each file that a trial would read is opened."""
    found: list[Problem] = []
    files: dict[Split, list[Pair]] = {"train": [], "test": []}
    for split in files:
        try:
            files[split] = pairs(options, root, split)
        except DataError as error:
            found.append(Problem(f"{split} split", str(error)))
            continue
        if not files[split]:
            found.append(_empty(options, split))
    both = {pair.image.resolve() for pair in files["train"]} & {pair.image.resolve() for pair in files["test"]}
    for image in sorted(both):
        found.append(Problem(_relative(image, root), "is in the training and in the test split", "Give disjoint splits."))
    if isinstance(options, ToolboxData):
        found += _class_count(options, root) if any(files.values()) else []
    else:
        found += _orphans(options, root)
    labels = _Labels(options)
    for split, group in files.items():
        seen: set[int] = set()
        for pair in group:
            found += labels.look(pair, root, seen)
        if group and not seen:
            found.append(Problem(f"{split} split", "no pixel of any label map has a class", "Check ignore_index and reduce_zero_label."))
        missing = [name for i, name in enumerate(labels.names) if i not in seen]
        if seen and missing:
            what = f"no pixel of {_few(missing)}"
            found.append(Problem(f"{split} split", what, "These classes cannot be learnt or scored here.", fatal=False))
    return found


def _empty(options: SyntheticData | FolderData | ToolboxData, split: Split) -> Problem:
    if isinstance(options, ToolboxData):
        return Problem(f"{split} split", "has no image", f"Check data.{split} and the folder.")
    where = ", ".join(folder.list or folder.images for folder in folders(options, split))
    return Problem(where, f"the {split} split has no image", f"Images are the files that end in '{suffixes(options)[0]}' (image_suffix).")


def _class_count(options: ToolboxData, root: Path) -> list[Problem]:
    from harness.benchmarks.segmentation.toolbox import build

    classes = build(options, root, "test").metainfo.get("classes") or ()
    if len(classes) == options.num_classes:
        return []
    what = f"is {options.num_classes}, but {options.type} has {len(classes)} classes"
    return [Problem("data.num_classes", what, f"Write {len(classes)}.")]


def _orphans(options: SyntheticData | FolderData, root: Path) -> Iterator[Problem]:
    """Label maps without an image: the sample is not used, which its owner may not know."""
    for split in ("train", "test"):
        for folder in folders(options, split):
            labels = root / folder.labels
            if folder.list or not labels.is_dir():
                continue
            try:
                wanted = {pair.label for pair in pairs_of(options, root, folder)}
            except DataError:
                continue
            for file in sorted(set(labels.rglob(f"*{suffixes(options)[1]}")) - wanted):
                what = f"label map without an image in {folder.images}"
                yield Problem(_relative(file, root), what, "Add the image, or delete it.", fatal=False)


class _Labels:
    """Looks at one image-label pair after the other."""

    def __init__(self, options: SyntheticData | FolderData | ToolboxData):
        self.zero = options.reduce_zero_label
        self.ignore = options.ignore_index
        self.names = [f"class {i}" for i in range(options.num_classes)] if isinstance(options, ToolboxData) else list(options.classes)

    def look(self, pair: Pair, root: Path, seen: set[int]) -> Iterator[Problem]:
        """Problems of one pair; the classes met are added to ``seen``."""
        import numpy as np

        where = _relative(pair.label, root)
        size = yield from _image_size(pair, root)
        if not pair.label.is_file():
            yield Problem(where, f"the label map of {_relative(pair.image, root)} is missing", "Add it, or drop the image from the split.")
            return
        try:
            label = read_label(pair.label, self.zero)
        except DataError as error:
            yield Problem(where, str(error))
            return
        if size and label.shape != size:
            yield Problem(where, f"is {_hw(label.shape)}, its image {_hw(size)}", "Image and label map must have the same size.")
        values = set(np.unique(label).tolist()) - {self.ignore}
        wrong = sorted(value for value in values if value >= len(self.names))
        if wrong:
            shown = [value + 1 if self.zero else value for value in wrong]
            first = 1 if self.zero else 0
            yield Problem(
                where,
                f"labels {_few(map(str, shown))} are outside the classes {first} to {len(self.names) - 1 + first} and not ignored",
                "Correct the label map, data.classes, or data.ignore_index.",
            )
        seen |= values - set(wrong)


def _image_size(pair: Pair, root: Path) -> Generator[Problem, None, tuple[int, int] | None]:
    """Yields problems of the image; returns its (H, W) where it can be read whole."""
    from PIL import Image, UnidentifiedImageError

    where = _relative(pair.image, root)
    if not pair.image.is_file():
        yield Problem(where, "the image is missing", "Add it, or take it out of the split's list.")
        return None
    try:
        with Image.open(pair.image) as image:
            image.load()
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        yield Problem(where, f"cannot be read: {error}", "Replace it by an intact image.")
        return None


def _relative(path: Path, root: Path) -> str:
    path, root = Path(path).absolute(), root.absolute()
    for base in (root, root.resolve()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return str(path)


def _hw(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"


def _few(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
