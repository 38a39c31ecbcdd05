"""Videos as every reader yields them: frames, and masks of some of them, the first one's among them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import headers
from harness.benchmarks.base import Listing, Split, relative
from harness.benchmarks.mask_propagation.edges import VOID, shades
from harness.benchmarks.mask_propagation.scores import scored
from harness.benchmarks.validation import natural
from harness.errors import DataError
from harness.images import orientation, search, stored, upright

if TYPE_CHECKING:
    import numpy as np

_TIME = re.compile(r"\d+\.\d+", re.ASCII)

_FEWEST = 3
"""Frames with a mask, of which neither the first nor the last is scored."""


@dataclass(frozen=True)
class Video:
    """A video."""

    name: str
    frames: tuple[Path, ...]
    """In their order."""
    masks: tuple[Path | None, ...]
    """One for each frame; ``None`` where it has no mask."""
    objects: tuple[int, ...]
    """What stands for each in the first mask; others that a later one has are not scored. A single 0 for an only object, which is
    whatever is not 0."""
    exif: bool = False
    """Turn masks as their own EXIF orientation says, as frames are."""

    @cached_property
    def scored(self) -> tuple[int, ...]:
        """Places of the frames that are scored."""
        return tuple(scored([place for place, mask in enumerate(self.masks) if mask is not None]))

    def labels(self, place: int) -> np.ndarray:
        """The mask of a frame that has one, (H, W) uint8: 0, or the number of an object, counted from 1 in their order.

        Raises:
            DataError: it cannot be read.
        """
        import numpy as np

        file = self.masks[place]
        assert file is not None
        values = read_mask(file, exif=self.exif)
        if self.objects == (0,):
            whole: np.ndarray = (values != 0).astype(np.uint8)
            return whole
        table = np.zeros(256, np.uint8)
        table[list(self.objects)] = np.arange(1, len(self.objects) + 1)
        found: np.ndarray = table[values]
        return found

    def stored(self, labels: np.ndarray) -> np.ndarray:
        """Numbers of objects as the dataset's own masks have them, uint8; an only object is 255."""
        import numpy as np

        found: np.ndarray = np.array([0, *(value or VOID for value in self.objects)], np.uint8)[labels]
        return found


@dataclass(frozen=True)
class Tracked:
    """One object of a video."""

    video: Video
    number: int
    """Of the object, from 1."""


@dataclass
class Videos(Listing[Video | Tracked]):
    """The training split is what is given, a sample for each video's first mask; the test split is what is scored, one for each object."""

    same_twice: ClassVar[bool] = True
    videos: bool = True

    def files_of(self, sample: Video | Tracked) -> tuple[Path, ...]:
        video = sample.video if isinstance(sample, Tracked) else sample
        return (*video.frames, *(mask for mask in video.masks if mask is not None))

    def images(self, name: Split) -> list[Path]:
        """All frames, of either split: what is given and what is scored are the same videos."""
        return [*dict.fromkeys(frame for video in self.clips for frame in video.frames)] if self.of(name) else []

    @property
    def clips(self) -> list[Video]:
        """The videos, problems or not."""
        return [sample for sample in self.train if isinstance(sample, Video)]

    @property
    def tracked(self) -> list[Tracked]:
        """The objects, problems or not."""
        return [sample for sample in self.test if isinstance(sample, Tracked)]

    @property
    def counted(self) -> str:
        frames = sum(len(video.frames) for video in self.clips)
        return f"{len(self.train)} videos of {frames:,} frames, {len(self.test)} objects"


def read_mask(file: Path, *, exif: bool = False, brightness: bool = False) -> np.ndarray:
    """Values (H, W) uint8 as they are stored: of a picture with a palette the indices, of one in colours 0 where it is black.

    Args:
        exif: turned as its EXIF orientation says.
        brightness: of one in colours how bright it is, and not only whether.

    Raises:
        DataError: it is missing, cannot be read, or has been compressed with losses.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    mend = "Write it again as PNG, with a number from 1 to 254 for each object, and 0 elsewhere"
    try:
        with stored(file, numbers=True) as image:
            if headers.is_lossy(file):
                raise DataError(f"the mask {file} is {image.format}, which changes numbers when it compresses. {mend}.")
            values: np.ndarray = np.asarray(image)
            if image.mode in ("LA", "PA"):  # numbers, and how much one sees through them
                values = values[..., 0]
    except FileNotFoundError:
        raise DataError(f"the mask {file} is missing. Put it there.") from None
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read the mask {file}: {error}. {mend}.") from error
    if values.ndim == 3:  # some of DAVIS 2016 are
        values = values[..., :3].max(axis=2) if brightness else np.where(values[..., :3].any(axis=2), VOID, 0)
    if values.size and values.max() > 255:
        raise DataError(f"the mask {file} holds values beyond 0 to 255. {mend}.")
    return upright(values.astype(np.uint8), orientation(file) if exif else 1)


def read(root: Path, frames: str, masks: str, names: Iterable[str] | None, *, one_object: bool, exif: bool) -> Videos:
    """List the videos that are folders below ``frames`` and, by the same names, below ``masks``.

    Args:
        names: of the videos, in their order; all folders with a picture, by name, by default.
        one_object: whatever is not 0 in a mask is the one object.
        exif: masks are turned as their EXIF orientation says.
    """
    listing = Videos()
    found = search(root / frames)
    listing.left_out += found.passed_over
    of: dict[str, list[Path]] = {}
    for file in sorted(found.files, key=lambda file: natural(file.as_posix())):
        of.setdefault(file.parent.relative_to(root / frames).as_posix(), []).append(file)
    if not (root / frames).is_dir():
        listing.add(frames, "there is no such folder", "put the frames there, a folder for each video, or correct its name in data")
        return listing
    for name in sorted(of) if names is None else names:
        if name not in of:
            listing.add(f"{frames}/{name}", "there is no frame of this video", "put its frames there, or take it out of the list")
        elif video := _video(root, f"{masks}/{name}", name, of[name], one_object, exif, listing):
            listing.train.append(video)
            listing.test += [Tracked(video, number) for number in range(1, len(video.objects) + 1)]
    return listing


def _unordered(stems: list[str]) -> tuple[str, str] | None:
    """Two names, neighbours in their natural order, that are numbers in the other order; ``None`` where all are in both orders alike.

    Of times in seconds, some programs leave zeros out at the end and others behind the point: nobody can tell the names. Where two of them
    are the same number they are no times (a shot and its frames, ``1.1`` to ``1.10``).
    """
    if not all(_TIME.fullmatch(stem) for stem in stems):
        return None
    times = [Decimal(stem) for stem in stems]
    if len({*times}) < len(times):
        return None
    return next(((stems[place], stems[place + 1]) for place, (one, other) in enumerate(pairwise(times)) if one > other), None)


def _masks(files: list[Path]) -> list[Path]:
    """Which of the files of a frame's name may be its mask: of several none that was compressed with losses, such as a preview."""
    if len(files) < 2:
        return files
    try:
        return [file for file in files if not headers.is_lossy(file)] or files
    except OSError:
        return files


def _video(root: Path, folder: str, name: str, frames: list[Path], one_object: bool, exif: bool, listing: Videos) -> Video | None:
    """A video; ``None``, and a problem, where it cannot be scored."""
    import numpy as np

    below = search(root / folder).files
    there: dict[str, list[Path]] = {}
    for file in below:
        if file.parent == root / folder:
            there.setdefault(file.stem, []).append(file)
    files = [_masks(there.pop(frame.stem, [])) for frame in frames]
    masks = tuple(some[0] if some else None for some in files)
    if there:
        what, mend = f"{len(there)} masks have no frame", "a mask is called as its frame is, e.g. 00012.jpg and 00012.png"
        listing.add(relative(min(there.values())[0], root), what, mend, fatal=False)
    if twice := next((some for some in files if len(some) > 1), None):
        what = f"a frame has several masks: {' and '.join(file.name for file in twice[:3])}"
        listing.add(folder, what, "delete all but the right one of each frame, or put them elsewhere")
        return None
    if len({frame.stem for frame in frames}) < len(frames):
        listing.add(name, "two frames have the same name but for their ending", "delete one of them")
        return None
    if pair := _unordered([frame.stem for frame in frames]):
        what = f"names of frames look like times whose fractions have different lengths: which of {' and '.join(pair)} comes first?"
        listing.add(name, what, "write all with as many digits, frames and masks")
        return None
    if masks[0] is None:
        inner = sorted({file.relative_to(root / folder).parts[0] for file in below if file.parent != root / folder}, key=natural)
        if inner and not any(masks):
            what = f"masks lie in folders below ({', '.join(inner[:3])}), one for each object, it seems"
            listing.add(folder, what, f"write one mask for each frame into '{folder}', with 1, 2, ... for the objects")
        else:
            listing.add(f"{folder}/{frames[0].stem}.png", "the first frame has no mask", "mark in it what is to be followed")
        return None
    if sum(mask is not None for mask in masks) < _FEWEST:
        what = f"fewer than {_FEWEST} frames have a mask, of which neither the first nor the last is scored"
        listing.add(folder, what, "add masks, or take the video out of the list")
        return None
    try:
        first = read_mask(masks[0], exif=exif)
    except DataError as error:
        listing.add(relative(masks[0], root), str(error).replace(f" {masks[0]}", ""))
        return None
    if not one_object and (found := shades(first)):
        what = f"its edges are soft: {len(found)} of its values are shades between others and no objects"
        mend = "if whatever is not 0 is the one object, write data.one_object: true; otherwise resize masks with nearest neighbour only"
        listing.add(relative(masks[0], root), what, f"{mend}, without antialiasing or JPEG")
        return None
    values = [0] * bool(first.any()) if one_object else [int(value) for value in np.unique(first) if value not in (0, VOID)]
    if not values:
        mend = "mark what is to be followed"
        if first.any():
            mend = "if whatever is not 0 is the one object, write data.one_object: true; otherwise write a number for each, 1 to 254"
        listing.add(relative(masks[0], root), "the first mask has no object", mend)
        return None
    if not one_object and 2 * (first == VOID).sum() > (first != 0).sum():
        what = f"most of what the first mask marks is {VOID}, which is no object and not scored"
        listing.add(relative(masks[0], root), what, f"if it is one, give it a number from 1 to {VOID - 1}", fatal=False)
    return Video(name, tuple(frames), masks, tuple(values), exif)
