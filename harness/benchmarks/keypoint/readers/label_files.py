"""Which label files of a project are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import relative
from harness.benchmarks.keypoint.readers.label_table import Table, cells, number, read_table
from harness.benchmarks.keypoint.readers.pose import Poses
from harness.benchmarks.keypoint.readers.sleap_table import is_sleap, read_sleap
from harness.benchmarks.keypoint.readers.tally import NEVER, Tally
from harness.errors import did_you_mean
from harness.images import search

if TYPE_CHECKING:
    from harness.benchmarks.keypoint.readers.deeplabcut import DeepLabCutData

_LABELS, _NEW = "CollectedData", "_new"
"""How names of label files begin, and how that of Lightning Pose's second file ends."""
_SNAPSHOTS = "training-datasets"
"""Folder in which DeepLabCut keeps copies of the labels as they were when a training set was made."""


def natural(file: Path) -> list[tuple[int, str]]:
    """Orders paths by the numbers in them: img2 before img10."""
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", file.as_posix())]


def tables(root: Path, data: DeepLabCutData, listing: Poses) -> tuple[list[tuple[Path, Table]], list[tuple[Path, Table]]]:
    """The readable label files, in natural order, of the scorer whose labels count; and those of ``data.test_csv``."""
    testing = _named(root, data.test_csv, "data.test_csv", listing) if data.test_csv else []
    files = [file for file in _files(root, data, listing) if file not in testing]
    found, tested = (_readable(root, some, data, listing) for some in (files, testing))
    if data.csv is None:
        found = _without_new(root, found, listing)
    people = list(dict.fromkeys(table.scorer for _, table in found))
    if data.scorer is None or not found:
        return found, tested
    if data.scorer not in people:
        listing.add("data.scorer", str(did_you_mean(data.scorer, people, "scorer")), "correct it, or leave it out")
    mine = [(file, table) for file, table in found if table.scorer == data.scorer]
    # the name of a file for testing may say `new`, and only its header who labelled
    tried = [(file, table) for file, table in tested if data.scorer in (table.scorer, table.header)]
    listing.left_out["label files of other scorers"] += len(found) + len(tested) - len(mine) - len(tried)
    return mine, tried


def _readable(root: Path, files: list[Path], data: DeepLabCutData, listing: Poses) -> list[tuple[Path, Table]]:
    found = []
    for file in files:
        listing.sources.append(file)
        try:
            found.append((file, _read(file, data.scorer)))
        except ValueError as reason:
            what, _, mend = str(reason).rpartition(". ")
            listing.add(relative(file, root), what, mend)
    return found


def _without_new(root: Path, found: list[tuple[Path, Table]], listing: Poses) -> list[tuple[Path, Table]]:
    """Without ``CollectedData_new.csv`` beside ``CollectedData.csv``, on which Lightning Pose tests and never trains."""
    kept = []
    for file, table in found:
        beside = file.with_name(f"{file.stem.removesuffix(_NEW)}.csv")
        if not file.stem.endswith(_NEW) or not beside.is_file() or file.stem == f"{_LABELS}_{table.header}":  # a scorer's own name
            kept.append((file, table))
            continue
        what = f"the {len(table.rows)} images that it labels are not used: beside {beside.name} it is a test of its own in Lightning Pose"
        name = relative(file, root)
        listing.add(
            name, what, f"write data.test_csv: {name} to test on it, or name both in data.csv to have it count like the rest", fatal=False
        )
        listing.left_out["label files that Lightning Pose only tests on"] += 1
    return kept


def _read(file: Path, scorer: str | None) -> Table:
    lines, decimal_comma = cells(file)
    if lines and is_sleap(lines[0]):
        return read_sleap(lines, lambda cell: number(cell, decimal_comma))
    return read_table(file, lines, decimal_comma, scorer)


def _files(root: Path, data: DeepLabCutData, listing: Poses) -> list[Path]:
    if data.csv is not None:
        return _named(root, data.csv, "data.csv", listing)
    every = sorted(search(root, [".csv"]).files, key=natural)
    found = [file for file in every if file.name.startswith(_LABELS)]
    rest = Tally(listing, ".")
    snapshots = [file for file in found if _SNAPSHOTS in file.relative_to(root).parts]
    if len(snapshots) < len(found):
        for file in snapshots:
            kind = f"label files under {_SNAPSHOTS}, copies made for a training"
            rest.leave_out(kind, relative(file, root), "name them in data.csv if they are meant", NEVER)
        found = [file for file in found if file not in snapshots]
    for file in every:
        if file.name.startswith("machinelabels"):
            rest.leave_out("label files that a network made", relative(file, root), "name them in data.csv if they are meant", NEVER)
    rest.tell(len(every))
    if not found:
        listing.add(".", "no label file 'CollectedData*.csv'", _instead(root, every))
    return found


def _named(root: Path, names: list[str] | str, option: str, listing: Poses) -> list[Path]:
    files = [root / name for name in ([names] if isinstance(names, str) else names)]
    for file in files:
        if not file.is_file():
            listing.sources.append(file)
            listing.add(relative(file, root), "the label file is missing", f"put it there, or correct {option}")
    return [file for file in files if file.is_file()]


def _instead(root: Path, tables: list[Path]) -> str:
    if tables:
        return f"name the label files in data.csv, e.g. {relative(tables[0], root)}"
    if any(search(root, [".h5"]).files):
        return "only .h5 files are there: write each as CSV, e.g. with pandas.read_hdf(FILE).to_csv('CollectedData_NAME.csv')"
    return "put it there, or name the files in data.csv"
