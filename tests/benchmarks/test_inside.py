"""A dataset's files lie in its folder, behind a link in it, or where the entry says absolutely; in every format."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from formats import FORMATS

from harness.benchmarks import task
from harness.benchmarks.inside import is_inside, leading_out
from harness.catalog import Benchmark
from harness.errors import DataError, UsageError

NAMED = {
    "image_list": ("train.txt", "train0"),
    "segmentation_coco": ("train.json", "0.png"),
    "keypoint_coco": ("annotations/train.json", "0.png"),
    "localization_coco": ("train.json", "0.png"),
    "deeplabcut": ("labeled-data/v/CollectedData_me.csv", "labeled-data/v/img000.png"),
    "voc_xml": ("annotations/train0.xml", "train0.png"),
    "voc_crops": ("annotations/train0.xml", "train0.png"),
    "wsol": ("metadata/train/*.txt", "train/0.png"),
    "cambridge": ("dataset_train.txt", "trainseq/0.png"),
    "transforms": ("transforms.json", "images/0.png"),
    "colmap": ("sparse/0/images.txt", " 0.png"),
    "seven_scenes": ("TrainSplit.txt", "sequence1"),
}
"""Format -> file and what it calls the first training picture; the other formats read what lies in their folders."""


def listed(entry: dict[str, Any], root: Path, **more: Any):
    data = {"root": str(root), **entry["data"], **more}
    return task(Benchmark(id="b", **{**entry, "data": data})).listing(root)


def used(listing) -> list[Path]:
    """The files that a trial would read: none where there is a fatal problem."""
    try:
        samples = [sample for name in ("train", "val", "test") for sample in listing.split(name)]
        files = [(sample, file) for sample in samples for file in listing.files_of(sample)]
        return [listing.whole(sample) if file.parent in listing.unpacked else file for sample, file in files]
    except DataError:
        return []


@pytest.mark.parametrize("way", ["absolute", "up", "up behind a link"])
@pytest.mark.parametrize("name", NAMED)
def test_a_path_in_a_dataset_does_not_lead_out_of_it(openmmlab, tmp_path, name, way):
    root = tmp_path / "far" / "d"
    entry = FORMATS[name](root)
    assert used(listed(entry, root)), "sound before"
    pattern, said = NAMED[name]
    shutil.copytree(root, tmp_path / "far" / "others")
    shutil.copytree(root, tmp_path / "out" / "d")
    (tmp_path / "out" / "here").mkdir()
    for place in (path for path in (root, *root.rglob("*")) if path.is_dir()):
        (place / "link").symlink_to(tmp_path / "out" / "here")
    depth = "../" * (4 if way == "up" else 1)
    elsewhere = {"absolute": f"{tmp_path}/far/others/", "up": f"{depth}{tmp_path.name}/far/others/", "up behind a link": "link/../d/"}[way]
    for folder in ("", "images/", "train/"):
        for file in root.glob(pattern):
            text = file.read_text().replace(said, f" {elsewhere}{folder}{said.strip()}" if said[0] == " " else f"{elsewhere}{folder}{said}")
            shutil.copy(file, tmp_path / "kept")
            file.write_text(text)
        for file in used(listed(entry, root)):
            assert os.path.realpath(file).startswith(f"{root}/"), file
        for file in root.glob(pattern):
            shutil.copy(tmp_path / "out" / "d" / file.relative_to(root), file)


@pytest.mark.parametrize("name", FORMATS)
def test_a_link_in_the_folder_leads_anywhere(openmmlab, tmp_path, name):
    root, store = tmp_path / "d", tmp_path / "store"
    entry = FORMATS[name](root)
    before = listed(entry, root)
    assert not [problem for problem in before.problems if problem.fatal]
    store.mkdir()
    for number, file in enumerate(sorted(root.rglob("*.png"))):
        file.rename(store / f"{number}.png")
        file.symlink_to(store / f"{number}.png")
    after = listed(entry, root)
    assert after.problems == before.problems and used(after) == used(before) != []
    root.rename(tmp_path / "real")
    root.symlink_to(tmp_path / "real")
    assert used(listed(entry, root)) == used(before)


PLACES = {
    "image_folder": [("train", "train"), ("classes", ["a", "b"])],
    "image_list": [("images", "images"), ("train", "train.txt")],
    "mmseg_folder": [("train", {"images": "train", "labels": "trainannot"})],
    "segmentation_coco": [("train", {"annotations": "train.json", "images": "train"})],
    "localization_coco": [("train", {"annotations": "train.json", "images": "train"})],
    "keypoint_coco": [("train", "annotations/train.json"), ("train_images", "train")],
    "voc_xml": [("train", "train.txt"), ("images", "images"), ("annotations", "annotations")],
    "voc_crops": [("train", "train.txt"), ("images", "images"), ("annotations", "annotations")],
    "deeplabcut": [("csv", "labeled-data/v/CollectedData_me.csv")],
}
"""Format -> its options that are paths, and what they are by default."""


def moved(value: Any, prefix: str) -> Any:
    if isinstance(value, str):
        return prefix + value
    return {key: prefix + item for key, item in value.items()} if isinstance(value, dict) else [prefix + item for item in value]


@pytest.mark.parametrize(("name", "option", "value"), [(name, *place) for name, places in PLACES.items() for place in places])
def test_an_option_that_leads_out_is_absolute_or_refused(openmmlab, tmp_path, name, option, value):
    root = tmp_path / "d"
    entry = FORMATS[name](root)
    with pytest.raises(UsageError, match=rf"data\.{option}.*leads out of the dataset's folder"):
        listed(entry, root, **{option: moved(value, "x/../../others/")})
    shutil.copytree(root, tmp_path / "others")
    found = used(listed(entry, root, **{option: moved(value, f"{tmp_path}/others/")}))
    assert found or option in ("classes", "csv")  # a list of classes or points is none of places: what it names lies in the root
    assert all(is_inside(file, [root, tmp_path / "others"]) for file in found)


def test_a_third_partys_reader_is_held_to_it(tmp_path):
    from dataclasses import replace

    entry = FORMATS["image_folder"](tmp_path / "d")
    shutil.copy(tmp_path / "d/train/a/0.png", tmp_path / "0.png")
    sound = task(Benchmark(id="b", **{**entry, "data": {**entry["data"], "root": "d"}}))

    def read(root, data):
        found = sound.format.read(root, data)
        found.train[0] = replace(found.train[0], file=root / "../0.png")
        return found

    found = replace(sound.format, read=read).listing(tmp_path / "d", sound.data)
    assert [problem.what for problem in found.problems if problem.fatal] == [f"names files outside of its folder: {tmp_path}/d/../0.png"]


@pytest.mark.parametrize(
    ("path", "inside"),
    [("a", True), ("a/../b", True), ("../d/a", True), ("../d2/a", False), ("a/../../b", False), ("/d", False), ("link/x", True),
     ("link/../d", False), ("link/..", False), ("same/../a", True)],
)  # fmt: skip
def test_paths(tmp_path, path, inside):
    root, far = tmp_path / "d", tmp_path / "e" / "f"
    root.mkdir()
    far.mkdir(parents=True)
    (root / "link").symlink_to(far)
    (root / "same").mkdir()
    assert is_inside(root / path, [root]) is inside


def test_a_way_back_to_the_folder_itself_leads_nowhere():
    assert [*leading_out({"images": "a/..", "masks": "../a", "maps": ["a/../../b"]})] == [("masks", "../a"), ("maps.0", "a/../../b")]


def test_the_mmpose_and_mmseg_classes_are_held_to_it(openmmlab, tmp_path):
    root = tmp_path / "d"
    entry = FORMATS["mmseg_folder"](root)
    (tmp_path / "out").mkdir()
    shutil.copy(root / "train/0.png", tmp_path / "out/0.png")
    (root / "list.txt").write_text("../../out/0\n")
    split = {"ann_file": "list.txt", "data_prefix": {"img_path": "train", "seg_map_path": "train"}, "img_suffix": ".png"}
    split["metainfo"] = {"classes": ["a", "b"]}
    data = {"format": "mmseg", "type": "BaseSegDataset", "num_classes": 2, "train": split, "test": split}
    assert not used(listed({"family": "segmentation", "data": data}, root))
    FORMATS["keypoint_coco"](root)
    file = root / "annotations/train.json"
    content = json.loads(file.read_text())
    for image, annotation in zip(content["images"], content["annotations"], strict=True):
        image["file_name"] = f"{tmp_path}/out/0.png"
        annotation["keypoints"] = (annotation["keypoints"] * 9)[:51]
    file.write_text(json.dumps(content))
    files = {"ann_file": "annotations/train.json", "images": "train"}
    data = {"format": "mmpose", "type": "CocoDataset", "keypoints": 17, "size": [32, 32], "train": files, "test": files}
    found = listed({"family": "keypoint", "data": data}, root)
    assert any("outside of its folder" in problem.what for problem in found.problems if problem.fatal)
    assert entry and not used(found)
