"""Text tables of image files: WSOL metadata and CUB-200-2011."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.object_localization.options import CubData, WsolData
from harness.benchmarks.object_localization.readers.picture import Box, Listing, Picture


def _rows(root: Path, name: str, separator: str | None, columns: int, listing: Listing) -> list[list[str]]:
    """Rows of a table. A file name may hold the separator: it comes first between commas and last between spaces."""
    text = listing.text(root, name, "put the official file there")
    if text is None:
        return []
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = line.strip().rsplit(separator, columns - 1) if separator else line.strip().split(None, columns - 1)
        if len(row) != columns:
            listing.add(name, f"line {number} has {len(row)} columns, not {columns}", "restore the official file")
        else:
            rows.append(row)
    if not text.strip():
        listing.add(name, "the file is empty", "put the official file there")
    return rows


def _label(text: str, classes: int, first: int, where: str, listing: Listing) -> int | None:
    try:
        label = int(text) - first
    except ValueError:
        label = -1
    if 0 <= label < classes:
        return label
    listing.add(where, f"the class '{text}' is not one of {first} to {classes - 1 + first}", "correct it, or data.classes")
    return None


def scan_wsol(root: Path, data: WsolData) -> Listing:
    """Metadata of clovaai/wsolevaluation; a box is x0, y0, x1, y1 as it stands there."""
    listing = Listing()
    listing.train = _wsol_split(root, data, data.train, listing, need_boxes=False)
    listing.test = _wsol_split(root, data, data.test, listing, need_boxes=True)
    if data.calibration:
        listing.calibration = _wsol_split(root, data, data.calibration, listing, need_boxes=True)
    return listing


def _wsol_split(root: Path, data: WsolData, split: str, listing: Listing, *, need_boxes: bool) -> list[Picture]:
    folder = f"{data.metadata}/{split}"
    if not (root / folder).is_dir():
        listing.add(folder, "the folder is missing", "put the metadata of clovaai/wsolevaluation there, or correct data.metadata")
        return []
    labels = {}
    for name, text in _rows(root, f"{folder}/class_labels.txt", ",", 2, listing):
        labels[name] = _label(text, data.classes, 0, f"{folder}/class_labels.txt", listing)
    sizes = {}
    for name, *size in _rows(root, f"{folder}/image_sizes.txt", ",", 3, listing):
        sizes[name] = (int(size[0]), int(size[1])) if all(s.isdecimal() and int(s) > 0 for s in size) else None
        if sizes[name] is None:
            listing.add(f"{folder}/image_sizes.txt", f"the size of '{name}' is not width,height: {','.join(size)}", "correct it")
    boxes: dict[str, list[Box]] = {}
    where = f"{folder}/localization.txt"
    # training images need no boxes, and ILSVRC has none for most of them
    for name, *corners in _rows(root, where, ",", 5, listing) if need_boxes or (root / where).is_file() else ():
        box = listing.box(where, corners)
        if box:
            boxes.setdefault(name, []).append(box)
    pictures, listed = [], set()
    for (name,) in _rows(root, f"{folder}/image_ids.txt", ",", 1, listing):
        if name in listed:
            listing.add(f"{folder}/image_ids.txt", f"'{name}' is listed twice", "delete one of the lines")
            continue
        listed.add(name)
        if labels.get(name) is None:
            if name not in labels:
                listing.add(f"{folder}/image_ids.txt", f"'{name}' has no class", f"add it to {folder}/class_labels.txt")
            continue
        if need_boxes and name not in boxes:
            listing.add(where, f"'{name}' has no box; it is not scored", "add its box, or take it out of image_ids.txt", fatal=False)
        file = f"{data.images}/{name}".removeprefix("./")
        pictures.append(Picture(file, (labels[name],), tuple(boxes.get(name, ())), sizes.get(name), where))
    return pictures


def scan_cub(root: Path, data: CubData) -> Listing:
    """CUB-200-2011: ``images.txt``, ``image_class_labels.txt``, ``train_test_split.txt``, ``bounding_boxes.txt`` (x y width height)."""
    listing = Listing()
    columns = {"images.txt": 2, "image_class_labels.txt": 2, "train_test_split.txt": 2, "bounding_boxes.txt": 5}
    tables = {name: {row[0]: row[1:] for row in _rows(root, name, None, count, listing)} for name, count in columns.items()}
    if any(not table for table in tables.values()):
        return listing
    files, labels, splits, boxes = tables.values()
    for number, (name,) in files.items():
        missing = next((table for table, rows in tables.items() if number not in rows), None)
        if missing:
            listing.add(missing, f"image {number} ({name}) is not in it", "restore the official file")
            continue
        label = _label(labels[number][0], data.class_count, 1, "image_class_labels.txt", listing)
        try:
            x, y, width, height = map(float, boxes[number])
        except ValueError:
            listing.add("bounding_boxes.txt", f"the box of image {number} is not four numbers", "restore the official file")
            continue
        box = listing.box("bounding_boxes.txt", [x, y, x + width, y + height])
        if splits[number][0] not in ("0", "1"):
            what = f"image {number} is in neither split: '{splits[number][0]}'"
            listing.add("train_test_split.txt", what, "write 1 (training) or 0 (test)")
        elif box and label is not None:
            pictures = listing.train if splits[number][0] == "1" else listing.test
            pictures.append(Picture(f"images/{name}", (label,), (box,), None, "bounding_boxes.txt"))
    return listing
