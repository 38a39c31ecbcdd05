"""DeepLabCut's label files: CSV with the header rows scorer, bodyparts and coords, one row per image."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.keypoint.options import DeepLabCutData
from harness.benchmarks.keypoint.poses import Points, Pose, Reading
from harness.images import measure

_HEADER = ("scorer", "bodyparts", "coords")


def read(root: Path, data: DeepLabCutData) -> Reading:
    """Read all label files under ``root`` and split the images by their order."""
    reading = Reading()
    rows: list[tuple[str, str, list[float | None]]] = []
    names = data.names
    for file in _files(root, data, reading):
        found = _table(file, file.relative_to(root).as_posix(), data, reading)
        if found:
            names, table = found
            rows += table
    poses: list[Pose] = []
    seen: set[str] = set()
    points = Points(names, reading.problems)
    for where, image, values in rows:
        if image in seen:
            reading.problems.append(Problem(where, f"'{image}' was labelled before", "delete one; the later is not used", fatal=False))
            continue
        seen.add(image)
        pose = _pose(root, where, image, values, points, len(poses) + 1)
        if pose:
            poses.append(pose)
    cut = int(len(poses) * data.split)
    reading.train, reading.test = poses[:cut], poses[cut:]
    return reading.finish()


def _files(root: Path, data: DeepLabCutData, reading: Reading) -> list[Path]:
    if data.csv is None:
        files = sorted(root.rglob("CollectedData*.csv"), key=lambda file: file.as_posix())
        if not files:
            reading.problems.append(Problem(".", "no label file 'CollectedData*.csv'", "put it there, or name the files in data.csv"))
        return files
    files = [root / name for name in ([data.csv] if isinstance(data.csv, str) else data.csv)]
    for file in files:
        if not file.is_file():
            where = file.relative_to(root).as_posix()
            reading.problems.append(Problem(where, "the label file is missing", "put it there, or correct data.csv"))
    return [file for file in files if file.is_file()]


def _table(
    file: Path, where: str, data: DeepLabCutData, reading: Reading
) -> tuple[list[str], list[tuple[str, str, list[float | None]]]] | None:
    """Names of the points, and (place, image path, x and y of every point) per row; ``None`` if the header is not as it must be."""

    def note(place: str, what: str, mend: str) -> None:
        reading.problems.append(Problem(place, what, mend))

    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            lines = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        note(where, f"not a readable UTF-8 CSV file ({error})", "export it again from DeepLabCut")
        return None
    heads = [line[0].strip().lower() if line else "" for line in lines[:4]]
    if heads[:3] != list(_HEADER):
        many = " (a multi-animal project, which is not supported)" if "individuals" in heads else ""
        found = ", ".join(heads[:3]) or "nothing"
        note(where, f"the first three rows start with {found}, not with {', '.join(_HEADER)}{many}", "export it again")
        return None
    # newer versions give the path's three parts a column each
    first = next((i for i, cell in enumerate(lines[1]) if i and cell.strip()), 1)
    parts, coords = [[cell.strip() for cell in line[first:]] for line in (lines[1], lines[2])]
    names = parts[::2]
    if parts[1::2] != names or coords != ["x", "y"] * len(names):
        note(where, "bodyparts and coords do not pair up as x, y of one point after the other", "export it again without likelihoods")
        return None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        note(where, f"bodypart '{twice[0]}' stands there twice", "rename or delete one of its column pairs")
    if isinstance(data.keypoints, int):
        if len(names) != data.keypoints:
            note(where, f"{len(names)} bodyparts, data.keypoints says {data.keypoints}", "correct data.keypoints")
            return None
    elif names != data.names:
        note(where, f"the bodyparts are {', '.join(names)}, data.keypoints says {', '.join(data.names)}", "correct data.keypoints")
        return None
    rows = []
    for number, line in enumerate(lines[3:], start=4):
        place = f"{where}, line {number}"
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != first + 2 * len(names):
            note(place, f"{len(line)} cells, {first + 2 * len(names)} expected", "complete or delete the row")
            continue
        try:
            values = [_number(cell) for cell in line[first:]]
        except ValueError as error:
            note(place, f"{error} is no number", "correct it; leave the cell empty where the point is not visible")
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


def _pose(root: Path, where: str, image: str, values: list[float | None], points: Points, number: int) -> Pose | None:
    import numpy as np

    def drop(what: str, mend: str) -> None:
        points.problems.append(Problem(where, what, mend, fatal=False))

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
    at, visible = points.clean(where, raw, size)
    if not visible.any():
        return drop(f"'{image}' has no usable point", "label it, or delete the row; it is not used")
    width, height = size
    return Pose(file, size, (0.0, 0.0, float(width), float(height)), at, visible, float(width * height), number, number)
