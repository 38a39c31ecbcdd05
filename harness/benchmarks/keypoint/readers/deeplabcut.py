"""DeepLabCut's label files: CSV with the header rows scorer, bodyparts and coords, one row per image."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.keypoint.options import ListedPoints
from harness.benchmarks.keypoint.readers.pose import Pose, Poses
from harness.images import measure

_HEADER = ("scorer", "bodyparts", "coords")

Row = tuple[str, str, list[float | None]]
"""Where it stands, the image's path, and x and y of every point in turn; ``None`` for a point that is not visible."""


class DeepLabCutData(ListedPoints):
    """Labels of a DeepLabCut project: CSV with the header rows scorer, bodyparts and coords."""

    format: Literal["deeplabcut"]
    csv: list[str] | str | None = None
    """The label files; every ``CollectedData*.csv`` under the root by default."""
    split: float = Field(default=0.8, gt=0, lt=1)
    """The first so many of the labelled images, in the files' order, are for training: neighbouring frames of a
    video look alike, so a random split would test on what was trained."""


def read(root: Path, data: DeepLabCutData) -> Poses:
    """List all label files under ``root`` and split the images by their order."""
    listing = Poses()
    rows: list[Row] = []
    names = data.names
    for file in _files(root, data, listing):
        listing.sources.append(file)
        found = _table(file, file.relative_to(root).as_posix(), data, listing)
        if found:
            names, table = found
            rows += table
    poses: list[Pose] = []
    seen: set[str] = set()
    for where, image, values in rows:
        if image in seen:
            listing.add(where, f"'{image}' was labelled before", "delete one; the later is not used", fatal=False)
            continue
        seen.add(image)
        pose = _pose(root, (where, image, values), names, listing, len(poses) + 1)
        if pose:
            poses.append(pose)
    cut = int(len(poses) * data.split)
    listing.train, listing.test = poses[:cut], poses[cut:]
    return listing.finish()


def _files(root: Path, data: DeepLabCutData, listing: Poses) -> list[Path]:
    if data.csv is None:
        files = sorted(root.rglob("CollectedData*.csv"), key=lambda file: file.as_posix())
        if not files:
            listing.add(".", "no label file 'CollectedData*.csv'", "put it there, or name the files in data.csv")
        return files
    files = [root / name for name in ([data.csv] if isinstance(data.csv, str) else data.csv)]
    for file in files:
        if not file.is_file():
            listing.add(file.relative_to(root).as_posix(), "the label file is missing", "put it there, or correct data.csv")
    return [file for file in files if file.is_file()]


def _table(file: Path, where: str, data: DeepLabCutData, listing: Poses) -> tuple[list[str], list[Row]] | None:
    """Names of the points, and the rows; ``None`` if the header is not as it must be."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            lines = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        listing.add(where, f"not a readable UTF-8 CSV file ({error})", "export it again from DeepLabCut")
        return None
    heads = [line[0].strip().lower() if line else "" for line in lines[:4]]
    if heads[:3] != list(_HEADER):
        many = " (a multi-animal project, which is not supported)" if "individuals" in heads else ""
        found = ", ".join(heads[:3]) or "nothing"
        listing.add(where, f"the first three rows start with {found}, not with {', '.join(_HEADER)}{many}", "export it again")
        return None
    # newer versions give the path's three parts a column each
    first = next((i for i, cell in enumerate(lines[1]) if i and cell.strip()), 1)
    parts, coords = [[cell.strip() for cell in line[first:]] for line in (lines[1], lines[2])]
    names = parts[::2]
    if parts[1::2] != names or coords != ["x", "y"] * len(names):
        listing.add(
            where, "bodyparts and coords do not pair up as x, y of one point after the other", "export it again without likelihoods"
        )
        return None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        listing.add(where, f"bodypart '{twice[0]}' stands there twice", "rename or delete one of its column pairs")
    if isinstance(data.keypoints, int):
        if len(names) != data.keypoints:
            listing.add(where, f"{len(names)} bodyparts, data.keypoints says {data.keypoints}", "correct data.keypoints")
            return None
    elif names != data.names:
        listing.add(where, f"the bodyparts are {', '.join(names)}, data.keypoints says {', '.join(data.names)}", "correct data.keypoints")
        return None
    rows = []
    for number, line in enumerate(lines[3:], start=4):
        place = f"{where}, line {number}"
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != first + 2 * len(names):
            listing.add(place, f"{len(line)} cells, {first + 2 * len(names)} expected", "complete or delete the row")
            continue
        try:
            values = [_number(cell) for cell in line[first:]]
        except ValueError as error:
            listing.add(place, f"{error} is no number", "correct it; leave the cell empty where the point is not visible")
            continue
        rows.append((place, "/".join(cell.strip() for cell in line[:first]), values))
    return names, rows


def _number(cell: str) -> float | None:
    text = cell.strip()
    if not text or text.lower() == "nan":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"'{text:.40}'") from None


def _pose(root: Path, row: Row, names: list[str], listing: Poses, number: int) -> Pose | None:
    import numpy as np

    where, image, values = row

    def drop(what: str, mend: str) -> None:
        listing.add(where, what, mend, fatal=False)

    file = root / image.replace("\\", "/")
    if not file.resolve().is_relative_to(root.resolve()):
        return drop(f"'{image}' lies outside the dataset's folder", "write the path relative to that folder; the row is not used")
    try:
        size = measure(file, header_only=True)
    except ValueError as reason:
        return drop(f"'{image}': {reason}", "fetch the image again, or delete the row; it is not used")
    pairs = list(zip(values[::2], values[1::2], strict=True))
    # a point with one coordinate only is malformed, one with none is not visible
    raw = np.array([(math.nan if x is None else x, math.nan if y is None else y, 0 if x is None and y is None else 2) for x, y in pairs])
    at, visible = listing.clean(where, raw, size, names)
    if not visible.any():
        return drop(f"'{image}' has no usable point", "label it, or delete the row; it is not used")
    width, height = size
    return Pose(file, size, (0.0, 0.0, float(width), float(height)), at, visible, float(width * height), number, number)


FORMAT = Format(DeepLabCutData, read)
