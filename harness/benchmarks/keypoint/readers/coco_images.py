"""Images of a COCO file: found by id whatever its type, and by path whatever machine it is of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from harness.benchmarks.inside import is_inside
from harness.benchmarks.keypoint.readers.coco_parts import Key, key, side
from harness.benchmarks.keypoint.readers.pose import Poses
from harness.benchmarks.keypoint.readers.tally import ALWAYS, Tally
from harness.benchmarks.keypoint.readers.trail import find, outside
from harness.benchmarks.spelled import Spelled
from harness.images import measure, orientation


@dataclass(frozen=True)
class Image:
    """An image that can be used."""

    file: Path
    size: tuple[int, int]
    """(width, height) in pixels, as the model sees it."""
    number: int
    """Counts the files of the split from 1."""


class Images:
    """The images of one annotation file; each is looked at when an annotation asks for it."""

    def __init__(self, entries: list[Any], folder: Path, where: str, exif: bool, listing: Poses):
        self.folder, self.where, self.exif, self.listing = folder, where, exif, listing
        self.exact: dict[Any, int] = {}
        self.alike: dict[Key, list[int]] = {}
        self.entries = entries
        self.seen: dict[int, Image | None] = {}
        self.names: dict[Path, tuple[str, int]] = {}
        self.tally = Tally(listing, where)
        self.there = Spelled(folder)
        for index, entry in enumerate(entries):
            place = f"images[{index}]"
            own = key(entry.get("id")) if isinstance(entry, dict) else None
            if own is None or not isinstance(entry.get("file_name"), str):
                self.tally.leave_out("images with no 'id' and text 'file_name'", place, "export the file again", ALWAYS)
            elif entry["id"] in self.exact:
                example = f"{entry['id']!r} at {place}"
                self.tally.leave_out("image ids that are used twice", example, "give every image an id of its own", ALWAYS)
            else:
                self.exact[entry["id"]] = index
                self.alike.setdefault(own, []).append(index)

    def find(self, raw: Any) -> Image | None:
        """The image with an id; ``None`` where it cannot be used.

        Raises:
            ValueError: there is no such image, or several ids are alike; a clause for people.
        """
        known = key(raw)
        found = [] if known is None else [self.exact[raw]] if raw in self.exact else self.alike.get(known, [])
        if not found:
            raise ValueError(f"image_id {raw!r} is not among the images")
        if len(found) > 1:
            these = " and ".join(repr(self.entries[index]["id"]) for index in found[:2])
            raise ValueError(f"image_id {raw!r} is that of several images: {these}")
        if found[0] not in self.seen:
            self.seen[found[0]] = self._look(found[0])
        return self.seen[found[0]]

    def _look(self, index: int) -> Image | None:
        entry = self.entries[index]
        said, place = entry["file_name"], f"images[{index}]"
        file, by_end = find(said, [self.folder], self.listing.root)
        if file is None and not outside(said) and (alike := self.there.file(said)) and is_inside(alike, [self.listing.root, self.folder]):
            file = alike
        if file is None and outside(said):
            example = f"'{said:.80}' at {place} lies outside the dataset's folder, and so does every end of it"
            self.tally.leave_out("images that are missing", example, "correct file_name, or put the images there")
            return None
        try:
            size = measure(file or self.folder / said, header_only=True, exif=self.exif)
        except ValueError as reason:
            kind = "images that are missing" if file is None else "images that cannot be read"
            self.tally.leave_out(kind, f"'{said:.80}' at {place}: {reason}", "fetch them again, or correct file_name")
            return None
        file = cast(Path, file)  # what was measured is there, and so was found
        if not self._fits(entry, size, file, place):
            return None
        if file in self.names:
            other, number = self.names[file]
            if other != said:
                example = f"'{other:.80}' and '{said:.80}' are both {file.name}"
                self.tally.leave_out("images of different names that lead to one file", example, "correct file_name", ALWAYS)
                return None
            self.tally.note("images that are listed twice", f"'{said:.80}' at {place}", "list each once; here they count as one")
            return Image(file, size, number)
        if by_end:
            mend = "if another picture is meant, write its path relative to the folder of the images"
            self.tally.note("images found by the end of their path", f"'{said:.80}' is {file.relative_to(self.folder).as_posix()}", mend)
        self.names[file] = (said, len(self.names) + 1)
        return Image(file, size, len(self.names))

    def _fits(self, entry: dict[str, Any], size: tuple[int, int], file: Path, place: str) -> bool:
        said = (side(entry.get("width")), side(entry.get("height")))
        if None in said or said == size:
            return True
        what = f"'{entry['file_name']:.80}' at {place} is said to have {said[0]}x{said[1]} pixels, but the file has {size[0]}x{size[1]}"
        mend = "annotate the images as they are, or scale the points with them"
        if orientation(file) != 1 and said == measure(file, header_only=True, exif=not self.exif):
            mend = f"they carry an EXIF orientation: write data.exif: {'ignore' if self.exif else 'apply'}"
        self.tally.leave_out("images of another size than annotated", what, mend)
        return False

    def tell(self) -> None:
        """Note what was counted."""
        self.tally.tell(max(len(self.seen), 1))
        if self.seen:
            self.tally.pass_over("images without an annotation that is read", len(self.exact) - len(self.seen))
