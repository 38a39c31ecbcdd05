"""Tiny datasets in the official layouts of the paper tier: ``write(entry, root)`` puts four training and three test pictures there."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from harness.benchmarks.background_robustness.readers.in9 import GROUPS
from harness.benchmarks.background_robustness.scores import VARIANTS
from harness.catalog import Benchmark

TRAIN, TEST = 4, 3
WIDTH, HEIGHT = 96, 64


def picture(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """Noise with a bright box, another one for each number."""
    pixels = np.random.default_rng(number).integers(0, 90, (size[1], size[0], 3)).astype(np.uint8)
    x, y = 2 + number % 7 * size[0] // 16, 2 + number % 5 * size[1] // 16
    pixels[y : y + size[1] // 2, x : x + size[0] // 3] += 120
    return Image.fromarray(pixels)


def box(number: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the box in :func:`picture` of the usual size."""
    x, y = 2 + number % 7 * WIDTH // 16, 2 + number % 5 * HEIGHT // 16
    return x, y, x + WIDTH // 3, y + HEIGHT // 2


def save(file: Path, image: Image.Image) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


def text(file: Path, lines: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def numbers(split: str) -> range:
    return range(TRAIN) if split == "train" else range(TRAIN, TRAIN + TEST)


# ---------------------------------------------------------------- classification


def imagenet(entry: Benchmark, root: Path) -> None:
    """Training images in a folder per class, validation images in one, explained by the development kit."""
    wnids = ["n01440764", "n01443537", "n02084071"]
    for number in range(2 * TRAIN):
        save(root / f"train/{wnids[number % 3]}/{wnids[number % 3]}_{number}.JPEG", picture(number))
    for number in range(TEST):
        save(root / f"val/ILSVRC2012_val_{number + 1:08d}.JPEG", picture(100 + number))
    # the development kit numbers classes in an order of its own
    devkit = root / "ILSVRC2012_devkit_t12/data"
    text(devkit / "ILSVRC2012_validation_ground_truth.txt", [str(3 - number % 3) for number in range(TEST)])
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    savemat(devkit / "meta.mat", {"synsets": np.array([(3, wnids[0], "a"), (2, wnids[1], "b"), (1, wnids[2], "c")], dtype=kind)})


def cifar(entry: Benchmark, root: Path) -> None:
    classes = entry.data["classes"]
    files = [f"data_batch_{number}.bin" for number in range(1, 6)] if classes == 10 else ["train.bin"]
    for place, (name, count) in enumerate([*((name, TRAIN) for name in files), ("test_batch.bin" if classes == 10 else "test.bin", TEST)]):
        records = bytearray()
        for number in range(count):
            image = np.asarray(picture(10 * place + number, (32, 32)))
            records += bytes([number % 5, number % 3][2 - (1 if classes == 10 else 2) :]) + image.transpose(2, 0, 1).tobytes()
        root.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(records)
    text(root / ("batches.meta.txt" if classes == 10 else "fine_label_names.txt"), [f"class {number}" for number in range(classes)])


def tiny_imagenet(entry: Benchmark, root: Path) -> None:
    wnids = [f"n{number:08d}" for number in range(200)]
    for number, wnid in enumerate(wnids):
        save(root / f"train/{wnid}/images/{wnid}_0.JPEG", picture(number, (64, 64)))
    for number in range(TEST):
        save(root / f"val/images/val_{number}.JPEG", picture(300 + number, (64, 64)))
    text(root / "val/val_annotations.txt", [f"val_{number}.JPEG\t{wnids[number]}\t0\t1\t40\t50" for number in range(TEST)])


def imagenet9(entry: Benchmark, root: Path) -> None:
    """An image of each of ImageNet's classes, and one of each of the nine in each variant."""
    for number in range(1000):
        save(root / f"train/n{number:08d}/n{number:08d}_0.JPEG", picture(number, (24, 20)))
    for place, variant in enumerate(VARIANTS):
        for number, group in enumerate(GROUPS):
            save(root / f"bg_challenge/{variant}/val/{group}/fg_{number}.JPEG", picture(1000 + 9 * place + number, (32, 32)))


def revisited(entry: Benchmark, root: Path) -> None:
    """Training images of as many classes as the entry's first, and two queries in a database of four; as a pickle and as JSON."""
    for number in range(3):
        save(root / f"train/n{number:08d}/n{number:08d}_0.JPEG", picture(number))
    names = [f"all_souls_{number:06d}" for number in range(6)]
    for number, name in enumerate(names):
        save(root / f"jpg/{name}.jpg", picture(10 + number))
    truth = [
        {"bbx": [float(edge) for edge in box(14)], "easy": [0], "hard": [1], "junk": [3]},
        {"bbx": [0.5, 1.5, 60.0, 50.25], "easy": [2, 0], "hard": [], "junk": []},
    ]
    content = {"imlist": names[:4], "qimlist": names[4:], "gnd": truth}
    text(root / "gnd.json", [json.dumps(content)])
    arrays = [{**one, "easy": np.array(one["easy"]), "junk": np.array(one["junk"], int)} for one in truth]
    (root / entry.data["annotation"]).write_bytes(pickle.dumps({**content, "gnd": arrays}, protocol=2))


# ---------------------------------------------------------------- localization


def cub(entry: Benchmark, root: Path) -> None:
    rows: dict[str, list[str]] = {name: [] for name in ("images", "image_class_labels", "train_test_split", "bounding_boxes")}
    for number in range(TRAIN + TEST):
        name = f"{number % 2 + 1:03d}.Bird/Bird_{number:04d}.jpg"
        save(root / "images" / name, picture(number))
        x0, y0, x1, y1 = box(number)
        for table, row in zip(rows.values(), (name, number % 2 + 1, int(number < TRAIN), f"{x0} {y0} {x1 - x0} {y1 - y0}"), strict=True):
            table.append(f"{number + 1} {row}")
    for name, lines in rows.items():
        text(root / f"{name}.txt", lines)


def ilsvrc(entry: Benchmark, root: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        rows: dict[str, list[str]] = {name: [] for name in ("image_ids", "class_labels", "image_sizes", "localization")}
        for index in range(TRAIN if split == "train" else TEST):
            number = 20 * place + index
            name = f"{split}/n0144/{number}.JPEG"
            save(root / name, picture(number))
            for table, row in zip(rows.values(), ("", index % 2, f"{WIDTH},{HEIGHT}", ",".join(map(str, box(number)))), strict=True):
                table.append(f"{name},{row}".rstrip(","))
        for name, lines in rows.items():
            if (split, name) != ("train", "localization"):  # most training images have no box
                text(root / f"metadata/{split}/{name}.txt", lines)


def voc_objects(entry: Benchmark, root: Path) -> None:
    for number in range(TRAIN):
        save(root / f"JPEGImages/{number:06d}.jpg", picture(number))
        tags = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box(number), strict=True))
        item = f"<object><name>{('dog', 'cat')[number % 2]}</name><difficult>{number % 2}</difficult><bndbox>{tags}</bndbox></object>"
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        text(root / f"Annotations/{number:06d}.xml", [f"<annotation><filename>{number:06d}.jpg</filename>{size}{item}</annotation>"])
    text(root / "ImageSets/Main/trainval.txt", [f"{number:06d}" for number in range(TRAIN)])


def coco_objects(entry: Benchmark, root: Path) -> None:
    images, objects, names = [], [], [f"COCO_train2014_{number:012d}.jpg" for number in range(TRAIN + 1)]
    for number, name in enumerate(names):
        save(root / "train2014" / name, picture(number))
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        x0, y0, x1, y1 = box(number)
        shown = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": 900, "iscrowd": 0}
        objects.append({"id": number + 1, "image_id": number, "category_id": number % 80 + 1, **shown})
    categories = [{"id": number, "name": f"thing {number}"} for number in range(1, 81)]
    file = root / "annotations/instances_train2014.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"images": images, "annotations": objects, "categories": categories}))
    text(root / "coco_20k_filenames.txt", [f"train2014/{name}" for name in names[:TRAIN]])


def coco_instances(entry: Benchmark, root: Path) -> None:
    """With a crowd, and an image that shows nothing."""
    for split, folder in (("train", "train2017"), ("test", "val2017")):
        images, objects = [], []
        for number in numbers(split):
            save(root / folder / f"{number:012d}.jpg", picture(number))
            images.append({"id": number, "file_name": f"{number:012d}.jpg", "width": WIDTH, "height": HEIGHT})
            if number == TRAIN:
                continue
            x0, y0, x1, y1 = box(number)
            whole = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "image_id": number, "category_id": number % 80 + 1}
            outline = [[x0, y0, x1, y0, x1, y1, x0, y1]]
            objects.append({"id": 2 * number + 1, "iscrowd": 0, "segmentation": outline, **whole})
            counts = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * 3, HEIGHT * 9, HEIGHT * (WIDTH - 12)]}
            objects.append({"id": 2 * number + 2, "segmentation": counts, **whole, "iscrowd": 1, "bbox": [3, 0, 9, HEIGHT]})
        categories = [{"id": number, "name": f"thing {number}"} for number in range(1, 81)]
        file = root / f"annotations/instances_{folder}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"images": images, "annotations": objects, "categories": categories}))


# ---------------------------------------------------------------- segmentation


def labels(number: int, values: list[int]) -> Image.Image:
    """A label map of stripes of all values."""
    columns = np.array(values, np.uint8)[np.arange(WIDTH) * len(values) // WIDTH]
    stripes = np.tile(np.roll(columns, 3 * number), (HEIGHT, 1))
    return Image.fromarray(stripes)


def cityscapes(entry: Benchmark, root: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        for index in range(TRAIN if split == "train" else TEST):
            number, stem = 20 * place + index, f"{split}town/{split}town_{index:06d}_000019"
            save(root / f"leftImg8bit/{split}/{stem}_leftImg8bit.png", picture(number))
            # the labels of the test set are blank
            ids = [*range(19), 255] if split != "test" else [255]
            save(root / f"gtFine/{split}/{stem}_gtFine_labelTrainIds.png", labels(number, ids))


def ade20k(entry: Benchmark, root: Path) -> None:
    for split, folder in (("train", "training"), ("test", "validation")):
        for number in numbers(split):
            stem = f"ADE_{'train' if split == 'train' else 'val'}_{number:08d}"
            save(root / f"images/{folder}/{stem}.jpg", picture(number))
            # 150 classes and 96 columns: every other class is in every second picture
            save(root / f"annotations/{folder}/{stem}.png", labels(number, [*range(number % 2, 151, 2)]))


def voc_labels(entry: Benchmark, root: Path) -> None:
    """PASCAL VOC and PASCAL-Context: lists of names, images and label maps."""
    arguments = {"train": entry.data["train"], "test": entry.data["test"]}
    for split, said in arguments.items():
        stems = [f"2008_{number:06d}" for number in numbers(split)]
        for number, stem in zip(numbers(split), stems, strict=True):
            save(root / said["data_prefix"]["img_path"] / f"{stem}.jpg", picture(number))
            classes = entry.data["num_classes"] + bool(entry.data.get("reduce_zero_label"))
            save(root / said["data_prefix"]["seg_map_path"] / f"{stem}.png", labels(number, [*range(classes)]))
        text(root / said["ann_file"], stems)


# ---------------------------------------------------------------- keypoints


def coco_persons(entry: Benchmark, root: Path) -> None:
    rng = np.random.default_rng(0)
    points = ["nose", *(f"{side}_{part}" for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
                        for side in ("left", "right"))]  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": points, "skeleton": []}
    detected = []
    for split, folder in (("train", "train2017"), ("test", "val2017")):
        images, persons = [], []
        for number in numbers(split):
            name, (x0, y0, x1, y1) = f"{number:012d}.jpg", box(number)
            save(root / folder / name, picture(number))
            images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
            there = np.column_stack([rng.integers(x0, x1, 17), rng.integers(y0, y1, 17), np.full(17, 2)])
            shape = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": 1000, "iscrowd": 0, "num_keypoints": 17, "segmentation": []}
            person = {"id": number + 1, "image_id": number, "category_id": 1, "keypoints": there.ravel().tolist(), **shape}
            persons.append(person)
            if split == "test":
                detected.append({"image_id": number, "category_id": 1, "bbox": [x0 + 1, y0 + 1, x1 - x0, y1 - y0], "score": 0.9})
                detected.append({"image_id": number, "category_id": 1, "bbox": [5, 5, 20, 30], "score": 0.1})
        file = root / f"annotations/person_keypoints_{folder}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"images": images, "annotations": persons, "categories": [category]}))
    text(root / "person_detection_results/COCO_val2017_detections_AP_H_56_person.json", [json.dumps(detected)])


def mpii(entry: Benchmark, root: Path) -> None:
    rng = np.random.default_rng(0)
    heads = []
    for split, name in (("train", "mpii_train"), ("test", "mpii_val")):
        persons = []
        for number in numbers(split):
            x0, y0, x1, y1 = box(number)
            save(root / f"images/{number:09d}.jpg", picture(number))
            joints = np.column_stack([rng.integers(x0, x1, 16), rng.integers(y0, y1, 16)]) + 1
            centre, scale = [(x0 + x1) / 2 + 1, (y0 + y1) / 2 + 1], (y1 - y0) / 200
            visible = [1] * 15 + [number % 2]
            persons.append(
                {"image": f"{number:09d}.jpg", "center": centre, "scale": scale, "joints": joints.tolist(), "joints_vis": visible}
            )
            if split == "test":
                heads.append([[x0 + 4, y0 + 2], [x0 + 16, y0 + 18]])
        file = root / f"annotations/{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(persons))
    savemat(root / "annotations/mpii_gt_val.mat", {"headboxes_src": np.array(heads, float).transpose(1, 2, 0)})


# ---------------------------------------------------------------- cameras


def _pose(number: int) -> tuple[np.ndarray, Rotation]:
    return np.array([0.1 * number, 0.02 * number, 0.3]), Rotation.from_euler("yx", [8 * number, 3 * number], degrees=True)


def seven_scenes(entry: Benchmark, root: Path) -> None:
    for scene_number, scene in enumerate(entry.data["scenes"]):
        for sequence, split in ((1, "train"), (2, "test")):
            for number in numbers(split):
                place, turn = _pose(number)
                stem = root / scene / f"seq-{sequence:02d}" / f"frame-{number:06d}"
                save(Path(f"{stem}.color.png"), picture(10 * scene_number + number))
                matrix = np.vstack([np.hstack([turn.as_matrix(), place[:, None]]), [0, 0, 0, 1]])
                text(Path(f"{stem}.pose.txt"), ["\t".join(f"{value:.7e}" for value in row) for row in matrix])
            text(root / scene / f"{split.capitalize()}Split.txt", [f"sequence{sequence}"])


def cambridge(entry: Benchmark, root: Path) -> None:
    for scene_number, scene in enumerate(entry.data["scenes"]):
        for split in ("train", "test"):
            lines = ["Visual Landmark Dataset V1", "ImageFile, Camera Position [X Y Z W P Q R]", ""]
            for number in numbers(split):
                place, turn = _pose(number)
                save(root / scene / f"seq1/frame{number:05d}.png", picture(10 * scene_number + number))
                values = [*place, *turn.inv().as_quat(scalar_first=True)]
                lines.append(f"seq1/frame{number:05d}.png {' '.join(f'{value:.6f}' for value in values)}")
            text(root / scene / f"dataset_{split}.txt", lines)


WRITERS: dict[str, Callable[[Benchmark, Path], None]] = {
    "imagenet": imagenet,
    "cifar-10-batches-bin": cifar,
    "cifar-100-binary": cifar,
    "tiny-imagenet-200": tiny_imagenet,
    "imagenet9": imagenet9,
    "roxford5k": revisited,
    "rparis6k": revisited,
    "CUB_200_2011": cub,
    "ILSVRC": ilsvrc,
    "VOCdevkit/VOC2007": voc_objects,
    "cityscapes": cityscapes,
    "ADEChallengeData2016": ade20k,
    "VOCdevkit/VOC2010": voc_labels,
    "mpii": mpii,
    "7scenes": seven_scenes,
    "cambridge": cambridge,
}
"""``data.root`` of an entry -> who writes what lies there."""


def write(entry: Benchmark, root: Path) -> None:
    """A look-alike of the entry's dataset into the folder ``root``."""
    name = entry.data["root"]
    if name == "coco":
        writer = {"keypoint": coco_persons, "detection": coco_instances}.get(entry.family, coco_objects)
    elif name == "VOCdevkit/VOC2012":
        writer = voc_labels if entry.family == "segmentation" else voc_objects
    else:
        writer = WRITERS[name]
    writer(entry, root)
