"""A small sound dataset of every format: ``build(root)`` writes it and returns what an entry says about it.

Five training and four test pictures, no two alike, and as many for validation as ``SPLITS`` is made to say.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

WIDTH, HEIGHT = 40, 32
SPLITS = {"train": 5, "test": 4}
Entry = dict[str, Any]


def picture(split: str, index: int) -> np.ndarray:
    """(32, 40, 3) noise with a bright box at :func:`box`."""
    rng = np.random.default_rng([len(split), index])
    image = rng.integers(0, 70, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    x0, y0, x1, y1 = box(split, index)
    image[y0:y1, x0:x1] += 150
    return image


def box(split: str, index: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the picture's object."""
    x, y = 3 + 3 * (index % 7), 4 + 2 * (index % 7)
    return x, y, x + 14, y + 12


def _save(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def _text(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _all() -> list[tuple[str, int]]:
    return [(split, index) for split, count in SPLITS.items() for index in range(count)]


def _val(**said: str) -> Entry:
    """What an entry says about its validation split, where there is one."""
    return said if "val" in SPLITS else {}


def image_folder(root: Path) -> Entry:
    for split, index in _all():
        _save(root / split / "ab"[index % 2] / f"{index}.png", picture(split, index))
    return {"family": "classification", "data": {"format": "image-folder", "classes": 2, "size": 16, **_val(val="val")}}


def image_list(root: Path) -> Entry:
    for split in SPLITS:
        lines = []
        for index in range(SPLITS[split]):
            _save(root / f"images/{split}{index}.png", picture(split, index))
            lines.append(f"{split}{index} {index % 2 + 1} 7\n")
        _text(root / f"{split}.txt", "".join(lines))
    data = {"format": "image-list", "classes": ["a", "b"], "images": "images", "size": 16, **_val(val="val.txt")}
    return {"family": "classification", "data": data}


def retrieval_revisited(root: Path) -> Entry:
    """A query cut to its box, and a database of three; a test image without a box would be all of it."""
    for split in SPLITS:
        for index in range(SPLITS[split]):
            folder = "jpg" if split == "test" else f"{split}/{'ab'[index % 2]}"
            _save(root / f"{folder}/{split}{index}.png", picture(split, index))
    names = [f"test{index}" for index in range(SPLITS["test"])]
    truth = {"bbx": [*box("test", 0)], "easy": [0], "hard": [1], "junk": []}
    _text(root / "gnd.json", json.dumps({"imlist": names[1:], "qimlist": names[:1], "gnd": [truth]}))
    return {"family": "image-retrieval", "data": {"format": "revisited", "classes": 2, "size": 16, **_val(val="val")}, **TRAINED}


def retrieval_folder(root: Path) -> Entry:
    for split in SPLITS:
        for index in range(SPLITS[split]):
            folder = split if split != "test" or index > 1 else "queries"
            _save(root / folder / "ab"[index % 2] / f"{index}.png", picture(split, index))
    data = {"format": "image-folder", "classes": 2, "size": 16, "queries": "queries", **_val(val="val")}
    return {"family": "image-retrieval", "data": data, **TRAINED}


TRAINED = {"model": {"backbone": "resnet-thin", "frozen": False}}


def _label(split: str, index: int) -> np.ndarray:
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    x0, y0, x1, y1 = box(split, index)
    label[y0:y1, x0:x1] = 1
    return label


def mmseg_folder(root: Path) -> Entry:
    for split, index in _all():
        _save(root / f"{split}/{index}.png", picture(split, index))
        _save(root / f"{split}annot/{index}.png", _label(split, index))
    places = {split: {"images": split, "labels": f"{split}annot"} for split in SPLITS}
    return {"family": "segmentation", "data": {"format": "mmseg-folder", "classes": ["bg", "fg"], **places}}


def _coco_images(root: Path, split: str) -> list[dict[str, Any]]:
    images = []
    for index in range(SPLITS[split]):
        _save(root / f"{split}/{index}.png", picture(split, index))
        images.append({"id": index + 1, "file_name": f"{index}.png", "width": WIDTH, "height": HEIGHT})
    return images


def _xywh(split: str, index: int) -> list[int]:
    x0, y0, x1, y1 = box(split, index)
    return [x0, y0, x1 - x0, y1 - y0]


def segmentation_coco(root: Path) -> Entry:
    for split in SPLITS:
        annotations = []
        for index in range(SPLITS[split]):
            x0, y0, x1, y1 = box(split, index)
            outline = [x0, y0, x1, y0, x1, y1, x0, y1]
            annotations.append({"id": index, "image_id": index + 1, "category_id": 3, "segmentation": [outline], "area": 168})
        content = {"images": _coco_images(root, split), "annotations": annotations, "categories": [{"id": 3, "name": "fg"}]}
        _text(root / f"{split}.json", json.dumps(content))
    files = {split: {"annotations": f"{split}.json", "images": split} for split in SPLITS}
    return {"family": "segmentation", "data": {"format": "coco", "classes": ["fg"], **files}}


def keypoint_coco(root: Path) -> Entry:
    category = {"id": 1, "name": "box", "keypoints": ["tl", "br"], "skeleton": []}
    for split in SPLITS:
        annotations = []
        for index in range(SPLITS[split]):
            x0, y0, x1, y1 = box(split, index)
            points = [x0, y0, 2, x1, y1, 2]
            common = {"category_id": 1, "area": 168, "iscrowd": 0, "num_keypoints": 2}
            annotations.append({"id": index + 1, "image_id": index + 1, "bbox": _xywh(split, index), "keypoints": points, **common})
        content = {"images": _coco_images(root, split), "annotations": annotations, "categories": [category]}
        _text(root / f"annotations/{split}.json", json.dumps(content))
    return {
        "family": "keypoint",
        "data": {"format": "coco", "keypoints": ["tl", "br"], "size": [32, 32], **_val(val="annotations/val.json")},
    }


def deeplabcut(root: Path) -> Entry:
    rows = [["scorer", *["me"] * 4], ["bodyparts", "tl", "tl", "br", "br"], ["coords", *["x", "y"] * 2]]
    for number, (split, index) in enumerate(_all()):
        name = f"labeled-data/v/img{number:03d}.png"
        _save(root / name, picture(split, index))
        rows.append([name, *map(str, box(split, index))])
    with (root / "labeled-data/v/CollectedData_me.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return {"family": "keypoint", "data": {"format": "deeplabcut", "keypoints": ["tl", "br"], "size": [32, 32], "split": 0.6}}


def voc_xml(root: Path) -> Entry:
    for split, index in _all():
        stem = f"{split}{index}"
        _save(root / f"images/{stem}.png", picture(split, index))
        x0, y0, x1, y1 = box(split, index)
        corners = "".join(f"<{tag}>{v}</{tag}>" for tag, v in zip(("xmin", "ymin", "xmax", "ymax"), (x0 + 1, y0 + 1, x1, y1), strict=True))
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        item = f"<object><name>{'ab'[index % 2]}</name><bndbox>{corners}</bndbox></object>"
        _text(root / f"annotations/{stem}.xml", f"<annotation><filename>{stem}.png</filename>{size}{item}</annotation>")
    for split in SPLITS:
        _text(root / f"{split}.txt", "".join(f"{split}{index}\n" for index in range(SPLITS[split])))
    lists = {split: f"{split}.txt" for split in SPLITS}
    return {"family": "object-localization", "data": {"format": "voc-xml", "classes": ["a", "b"], "size": 32, **lists}}


def voc_crops(root: Path) -> Entry:
    content = voc_xml(root)
    return {"family": "classification", "data": {**content["data"], "format": "voc-crops", "size": 16}}


def wsol(root: Path) -> Entry:
    for split in SPLITS:
        tables: dict[str, list[str]] = {"image_ids": [], "class_labels": [], "image_sizes": [], "localization": []}
        for index in range(SPLITS[split]):
            name = f"{split}/{index}.png"
            _save(root / name, picture(split, index))
            for table, row in zip(tables.values(), ([], [index % 2], [WIDTH, HEIGHT], box(split, index)), strict=True):
                table.append(",".join(map(str, [name, *row])) + "\n")
        for table, rows in tables.items():
            _text(root / f"metadata/{split}/{table}.txt", "".join(rows))
    return {"family": "object-localization", "data": {"format": "wsol", "classes": 2, "size": 32, **_val(val="val")}}


def localization_coco(root: Path) -> Entry:
    categories = [{"id": 7, "name": "a"}, {"id": 9, "name": "b"}]
    for split in SPLITS:
        annotations = [
            {"id": i, "image_id": i + 1, "category_id": (7, 9)[i % 2], "bbox": _xywh(split, i), "area": 168, "iscrowd": 0}
            for i in range(SPLITS[split])
        ]
        content = {"images": _coco_images(root, split), "annotations": annotations, "categories": categories}
        _text(root / f"{split}.json", json.dumps(content))
    files = {split: {"annotations": f"{split}.json", "images": split} for split in SPLITS}
    return {"family": "object-localization", "data": {"format": "coco", "classes": 2, "size": 32, **files}}


DETECTION = {"model": {"backbone": "resnet-local-s4", "channels": 8, "outputs": 1}}


def detection_coco(root: Path) -> Entry:
    """With masks, and a crowd in every picture."""
    content = localization_coco(root)
    del content["data"]["size"]
    for split in SPLITS:
        file = root / f"{split}.json"
        written = json.loads(file.read_text(encoding="utf-8"))
        for one in written["annotations"]:
            x, y, w, h = one["bbox"]
            one["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        crowds = [
            {**one, "id": 100 + one["id"], "iscrowd": 1, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [0, 5, HEIGHT * WIDTH - 5]}}
            for one in written["annotations"]
        ]
        _text(file, json.dumps({**written, "annotations": written["annotations"] + crowds}))
    return {"family": "detection", "data": {**content["data"], "masks": True}, **DETECTION}


def detection_voc(root: Path) -> Entry:
    content = voc_xml(root)
    return {"family": "detection", "data": {key: value for key, value in content["data"].items() if key != "size"}, **DETECTION}


def yolo(root: Path) -> Entry:
    for split, index in _all():
        _save(root / f"images/{split}/{index}.png", picture(split, index))
        x0, y0, x1, y1 = box(split, index)
        shares = ((x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT)
        _text(root / f"labels/{split}/{index}.txt", f"{index % 2} {' '.join(f'{share:.6f}' for share in shares)}\n")
    files = {split: {"images": f"images/{split}", "labels": f"labels/{split}"} for split in SPLITS}
    return {"family": "detection", "data": {"format": "yolo", "classes": ["a", "b"], **files}, **DETECTION}


def _pose(number: int) -> tuple[np.ndarray, Rotation]:
    return np.array([0.1 * number, 0.02 * number, 0.3]), Rotation.from_euler("yx", [8 * number, 3 * number], degrees=True)


CAMERA = {"model": {"backbone": "resnet-thin", "dim": 16, "heads": 2, "depth": [1, 1], "ffn_dim": 16, "hidden": 16}}


def seven_scenes(root: Path) -> Entry:
    for number, (split, index) in enumerate(_all()):
        place, turn = _pose(number)
        stem = root / f"seq-{1 + list(SPLITS).index(split):02d}/frame-{index:06d}"
        _save(Path(f"{stem}.color.png"), picture(split, index))
        rows = np.vstack([np.hstack([turn.as_matrix(), place[:, None]]), [0, 0, 0, 1]])
        _text(Path(f"{stem}.pose.txt"), "".join("\t".join(f"{value:.7e}" for value in row) + "\n" for row in rows))
    for split in SPLITS:
        _text(root / f"{split.capitalize()}Split.txt", f"sequence{1 + list(SPLITS).index(split)}\n")
    return {"family": "camera-localization", "data": {"format": "7scenes", "resize": [32, 32], "crop": None}, **CAMERA}


def cambridge(root: Path) -> Entry:
    lines = {split: ["Visual Landmark Dataset V1\n", "ImageFile, Camera Position [X Y Z W P Q R]\n", "\n"] for split in SPLITS}
    for number, (split, index) in enumerate(_all()):
        place, turn = _pose(number)
        _save(root / f"{split}seq/{index}.png", picture(split, index))
        values = [*place, *turn.inv().as_quat(scalar_first=True)]
        lines[split].append(f"{split}seq/{index}.png {' '.join(f'{value:.6f}' for value in values)}\n")
    for split, rows in lines.items():
        _text(root / f"dataset_{split}.txt", "".join(rows))
    return {"family": "camera-localization", "data": {"format": "cambridge", "resize": [32, 32], "crop": None}, **CAMERA}


def transforms(root: Path) -> Entry:
    frames = []
    for number, (split, index) in enumerate(_all()):
        place, turn = _pose(number)
        _save(root / f"images/{number}.png", picture(split, index))
        matrix = np.vstack([np.hstack([turn.as_matrix() @ np.diag([1, -1, -1]), place[:, None]]), [0, 0, 0, 1]])
        frames.append({"file_path": f"images/{number}.png", "transform_matrix": matrix.tolist()})
    _text(root / "transforms.json", json.dumps({"frames": frames}))
    data = {"format": "transforms", "resize": [32, 32], "crop": None, "test_share": 0.4}
    return {"family": "camera-localization", "data": data, **CAMERA}


def colmap(root: Path) -> Entry:
    lines = ["# Image list with two lines of data per image:\n"]
    for number, (split, index) in enumerate(_all()):
        place, turn = _pose(number)
        _save(root / f"images/{number}.png", picture(split, index))
        back = turn.inv()
        values = [*back.as_quat(scalar_first=True), *-back.apply(place)]
        lines += [f"{number + 1} {' '.join(f'{value:.8f}' for value in values)} 1 {number}.png\n", "1.5 2.5 -1\n"]
    _text(root / "sparse/0/images.txt", "".join(lines))
    data = {"format": "colmap", "resize": [32, 32], "crop": None, "test_share": 0.4}
    return {"family": "camera-localization", "data": data, **CAMERA}


def davis(root: Path) -> Entry:
    names = ("clip", "other clip")
    for number, name in enumerate(names):
        for index in range(5):
            labels = np.zeros((HEIGHT, WIDTH), np.uint8)
            x0, y0, x1, y1 = box("test", index)
            labels[y0:y1, x0:x1], labels[:3, :5] = 1, 2 * number
            _save(root / f"JPEGImages/480p/{name}/{index:05d}.jpg", picture("train" if number else "test", index))
            _save(root / f"Annotations/480p/{name}/{index:05d}.png", labels)
    _text(root / "ImageSets/2017/val.txt", "".join(f"{name}\n" for name in names))
    return {"family": "mask-propagation", "data": {"format": "davis", "size": 32, "multiple": 8}, "model": {"frozen": False}}


def video_folders(root: Path) -> Entry:
    davis(root)
    (root / "JPEGImages/480p").rename(root / "frames")
    (root / "Annotations/480p").rename(root / "masks")
    return {"family": "mask-propagation", "data": {"format": "video-folders", "size": 32, "multiple": 8}, "model": {"frozen": False}}


VIDEOS: dict[str, Callable[[Path], Entry]] = {"davis": davis, "video_folders": video_folders}
"""Formats of which nothing is trained, so that there is no validation split, either."""

NO_VAL = ("deeplabcut", "transforms", "colmap")
"""Formats written here without a validation split of their own."""

FORMATS: dict[str, Callable[[Path], Entry]] = {
    function.__name__: function
    for function in (
        image_folder, image_list, mmseg_folder, segmentation_coco, keypoint_coco, deeplabcut, voc_xml, wsol, localization_coco,
        seven_scenes, cambridge, transforms, colmap, detection_coco, detection_voc, voc_crops, yolo, retrieval_revisited, retrieval_folder,
    )
}  # fmt: skip
