"""What is told of the data of anyone's config before its own classes read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.base import Problem
from harness.catalog import Benchmark


def problems(root: Path, scope: str, of: dict[str, dict[str, Any]], **more: Any) -> list[Problem]:
    loaders = {f"{split}_dataloader": {"dataset": dataset} for split, dataset in of.items()}
    config = {"default_scope": scope, "test_evaluator": {"type": "IoUMetric"}, **loaders, **more}
    found = task(Benchmark(id="mine", family="openmmlab", data={"format": "config", "config": config}))
    return found.check(root)


def pictures(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def coco(root: Path, name: str, categories: list[str], images: list[str], of: list[str]) -> None:
    """A file whose objects are of the categories ``of``, one in each image."""
    listed = [{"id": number, "name": category} for number, category in enumerate(categories, 1)]
    objects = [{"id": n, "image_id": n, "category_id": categories.index(one) + 1} for n, one in enumerate(of, 1)]
    content = {"images": [{"id": n, "file_name": image} for n, image in enumerate(images, 1)], "categories": listed, "annotations": objects}
    (root / name).write_text(json.dumps(content))
    pictures(root, *(f"images/{image}" for image in images))


def boxes(file: str, classes: Any = ("cat", "dog"), **more: Any) -> dict[str, Any]:
    about = {} if classes is None else {"metainfo": {"classes": classes}}
    return {"type": "CocoDataset", "data_root": "$DATA", "ann_file": file, "data_prefix": {"img": "images/"}, **about, **more}


def judged(root: Path, **of: dict[str, Any]) -> list[Problem]:
    return problems(root, "mmdet", of, test_evaluator={"type": "CocoMetric", "ann_file": "$DATA/test.json"})


@pytest.fixture
def root(tmp_path) -> Path:
    coco(tmp_path, "train.json", ["cat", "dog", "bird"], ["a.png", "b.png", "c.png"], ["cat", "dog", "dog"])
    coco(tmp_path, "test.json", ["bird", "cat", "dog"], ["d.png", "e.png"], ["cat", "dog"])
    coco(tmp_path, "turned.json", ["dog", "cat"], ["d.png", "e.png"], ["cat", "dog"])
    return tmp_path


def test_the_same_categories_in_one_order_are_no_problem(root):
    assert judged(root, train=boxes("train.json"), test=boxes("test.json")) == []
    wrapped = {"type": "RepeatDataset", "times": 2, "dataset": {"type": "ConcatDataset", "datasets": [boxes("train.json")]}}
    assert judged(root, train=wrapped, test=boxes("test.json", ["dog", "cat"])) == [], "mmdet numbers them by the file"


def test_categories_in_another_order_are_refused(root):
    (told,) = problems(root, "mmdet", {"train": boxes("train.json"), "test": boxes("turned.json")})
    assert told.fatal and told.where == str(root / "turned.json") and "label 0 is 'dog' here and 'cat' there" in told.what
    evaluator = {"type": "CocoMetric", "ann_file": str(root / "turned.json")}
    (told,) = problems(root, "mmdet", {"train": boxes("train.json"), "test": boxes("test.json")}, test_evaluator=evaluator)
    assert told.fatal and told.where == str(root / "turned.json"), "what is found is named by the evaluator's file"
    _, told = problems(root, "mmdet", {"train": boxes("train.json"), "test": boxes("test.json", ["dog"])})
    assert told.fatal and "label 0 is 'dog' here and 'cat' there" in told.what


def test_objects_of_no_class_are_told(root):
    others, lacking = problems(root, "mmdet", {"train": boxes("train.json", ["Cat", "dog"])})
    assert not others.fatal and "1 of 3 objects are of categories that are no classes, 'cat', and are left out" in others.what
    assert not lacking.fatal and "no category of the file, 'Cat'" in lacking.what
    every, *_ = problems(root, "mmdet", {"train": boxes("train.json", ["Cat"])})
    assert every.fatal and "3 of 3 objects" in every.what


def test_a_file_without_classes_is_held_against_those_of_coco(openmmlab, root):
    coco(root, "cells.json", ["cell", "cat"], ["a.png"], ["cell"])
    (told,) = problems(root, "mmdet", {"train": boxes("cells.json", None)})
    assert told.fatal and "metainfo names no classes, so that COCO's count: 'person', 'bicycle'" in told.what


def test_classes_that_are_one_text_are_refused(root):
    (told,) = judged(root, train=boxes("train.json", "cat"), test=boxes("test.json"))
    assert told.fatal and "the text 'cat', of which each letter would be one" in told.what and "classes=('cat',)" in told.mend
    (root / "classes.txt").write_text("cat\ndog\n")
    assert judged(root, train=boxes("train.json", str(root / "classes.txt")), test=boxes("test.json")) == []


def test_an_evaluator_with_the_truth_of_other_images_is_refused(root):
    coco(root, "new.json", ["cat", "dog"], ["f.png", "g.png"], ["cat", "dog"])
    (told,) = judged(root, train=boxes("train.json"), test=boxes("new.json"))
    assert told.fatal and told.where == "test_evaluator" and "e.g. image 1 is 'f.png' and 'd.png' there" in told.what
    assert f"ann_file='{root / 'new.json'}'" in told.mend
    coco(root, "more.json", ["cat", "dog"], ["d.png", "e.png", "f.png"], ["cat", "dog"])
    (told,) = judged(root, train=boxes("train.json"), test=boxes("more.json"))
    assert told.fatal and "1 of the 3 images" in told.what and "e.g. image 3 is 'f.png' and nothing there" in told.what
    joined = {"type": "ConcatDataset", "datasets": [boxes("test.json"), boxes("test.json")]}
    assert judged(root, train=boxes("train.json"), test=joined) == []


def test_images_that_only_the_evaluator_has_are_told(root):
    coco(root, "first.json", ["cat", "dog"], ["d.png"], ["cat"])
    (told,) = judged(root, train=boxes("train.json"), test=boxes("first.json"))
    assert not told.fatal and "it counts 1 of the 2 images" in told.what
    (told,) = judged(root, train=boxes("train.json"), test=boxes("test.json", indices=1))
    assert not told.fatal and told.where == "test_evaluator" and "scores are too low" in told.mend


def test_folders_of_classes_are_the_same_in_each_split(tmp_path):
    pictures(tmp_path, "train/cat/0.png", "train/dog/1.png", "test/dog/2.png")
    train, test = ({"type": "CustomDataset", "data_root": "$DATA", "data_prefix": split} for split in ("train", "test"))
    (told,) = problems(tmp_path, "mmpretrain", {"train": train, "test": test})
    assert told.fatal and told.where == str(tmp_path / "test") and "label 0 is 'dog' here and 'cat' there" in told.what
    (tmp_path / "test/cat").mkdir()
    assert problems(tmp_path, "mmpretrain", {"train": train, "test": test}) == []
    assert problems(tmp_path, "mmpretrain", {"train": train, "test": {**test, "metainfo": {"classes": ["cat", "dog"]}}}) == []
    (told,) = problems(tmp_path, "mmpretrain", {"train": train, "test": {**test, "metainfo": {"classes": ["dog", "cat"]}}})
    assert not told.fatal and "labels count its folders by name, cat, dog, and metainfo calls them dog, cat" in told.what
    (tmp_path / "train/.ipynb_checkpoints").mkdir()
    (told,) = problems(tmp_path, "mmpretrain", {"train": train, "test": test})
    assert told.fatal and "label 0 is 'cat' here and '.ipynb_checkpoints' there" in told.what


@pytest.mark.parametrize(
    ("numbers", "classes", "told", "fatal"),
    [
        ((1, 2), None, "its classes go from 1 to 2, and mmpretrain counts them from 0", False),
        ((1, 2), ["cat", "dog"], "its classes go from 1 to 2, and mmpretrain counts them from 0 to 1", True),
        ((0, -1), None, "its classes go from -1 to 0, and mmpretrain counts them from 0", True),
        ((0, 1), ["cat", "dog"], None, None),
    ],
)
def test_lists_of_classes_count_from_0(tmp_path, numbers, classes, told, fatal):
    """Training ended in an IndexError, or an assertion of the device."""
    pictures(tmp_path, "a.png", "b c.png")
    (tmp_path / "list.txt").write_text("a.png {}\nb c.png {}\n".format(*numbers))
    one = {"type": "CustomDataset", "data_root": "$DATA", "ann_file": "list.txt", "data_prefix": "", "metainfo": {"classes": classes}}
    found = problems(tmp_path, "mmpretrain", {"train": one})
    assert [(problem.what, problem.fatal) for problem in found] == ([(told, fatal)] if told else [])


def maps(folder: str, **more: Any) -> dict[str, Any]:
    return {"type": "BaseSegDataset", "data_root": "$DATA", "data_prefix": {"img_path": folder}, "img_suffix": ".png", **more}


def test_label_maps_that_count_otherwise_are_told(tmp_path):
    pictures(tmp_path, "train/0.png", "test/1.png")
    load = {"pipeline": [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations", "reduce_zero_label": True}]}
    (told,) = problems(tmp_path, "mmseg", {"train": maps("train", **load), "test": maps("test")})
    assert not told.fatal and "reduce_zero_label is False for test and True for training" in told.what
    assert problems(tmp_path, "mmseg", {"train": maps("train", **load), "test": maps("test", reduce_zero_label=True)}) == []
    one, other = ({"metainfo": {"classes": classes}} for classes in (["road", "tree"], ["tree", "road"]))
    (told,) = problems(tmp_path, "mmseg", {"train": maps("train", **one), "test": maps("test", **other)})
    assert not told.fatal and "label 0 is 'tree' here and 'road' there" in told.what
    ade = {"type": "ADE20KDataset"}  # which leaves out 0 unless told
    assert problems(tmp_path, "mmseg", {"train": maps("train", **ade, reduce_zero_label=True), "test": maps("test", **ade)}) == []


def labelled(root: Path, folder: str, values: list[list[int]], **about: Any) -> dict[str, Any]:
    """Pictures below ``folder/i`` with maps of these values below ``folder/m``, and the dataset that reads them."""
    pictures(root, *(f"{folder}/i/{place}.png" for place in range(len(values))))
    (root / folder / "m").mkdir()
    for place, some in enumerate(values):
        Image.fromarray(np.array([some], np.uint8)).save(root / folder / f"m/{place}.png")
    prefix = {"data_prefix": {"img_path": f"{folder}/i", "seg_map_path": f"{folder}/m"}, "metainfo": {"classes": ["ground", "cell"]}}
    return maps("", **{**prefix, "pipeline": [{"type": "LoadAnnotations"}], **about})


def test_label_maps_of_which_one_class_counts_are_refused(tmp_path):
    masks = labelled(tmp_path, "masks", [[0, 0, 0], [0, 255, 255]])
    (told,) = problems(tmp_path, "mmseg", {"train": masks})
    assert told.fatal and told.where == str(tmp_path / "masks/m") and "only 'ground' counts in its label maps" in told.what
    (told,) = problems(tmp_path, "mmseg", {"train": masks}, custom_imports={"imports": ["mine"]})
    assert not told.fatal, "a step of its own may make numbers of them"
    rare = labelled(tmp_path, "rare", [[0, 255, 0]] * 41 + [[0, 0, 1]] + [[0, 255, 0]] * 20)
    assert problems(tmp_path, "mmseg", {"train": rare}) == []
    (told,) = problems(tmp_path, "mmseg", {"train": labelled(tmp_path, "shifted", [[0, 1, 255]], reduce_zero_label=True)})
    assert told.fatal and "only 'ground' counts" in told.what and "reduce_zero_label=False" in told.mend
    assert problems(tmp_path, "mmseg", {"train": labelled(tmp_path, "from_1", [[0, 1, 2]], reduce_zero_label=True)}) == []
    assert problems(tmp_path, "mmseg", {"train": labelled(tmp_path, "lone", [[0, 255]], metainfo={"classes": ["ground"]})}) == []


def test_values_of_label_maps_that_are_no_class_are_told(tmp_path):
    three = labelled(tmp_path, "three", [[0, 1, 2], [0, 9, 255]])
    (told,) = problems(tmp_path, "mmseg", {"test": three})
    assert not told.fatal and "neither a class, 0 to 1, nor ignored: 2, 9, e.g. 2 in 0.png" in told.what
    assert problems(tmp_path, "mmseg", {"test": {**three, "ignore_index": 2}})[0].what.endswith("9 in 1.png")
    by_evaluator = {"test_evaluator": {"type": "IoUMetric", "ignore_index": 2}}
    assert problems(tmp_path, "mmseg", {"train": three}, **by_evaluator)[0].what.endswith("9 in 1.png")
    Image.new("RGB", (2, 2)).save(tmp_path / "three/m/0.png")
    (told,) = problems(tmp_path, "mmseg", {"test": three})
    assert told.fatal and told.where == str(tmp_path / "three/m/0.png") and "in colours" in told.what


def test_images_of_another_suffix_are_told(tmp_path):
    named = labelled(tmp_path, "a", [[0, 1], [1, 0]])
    assert problems(tmp_path, "mmseg", {"train": named}) == []
    (told,) = problems(tmp_path, "mmseg", {"train": {name: value for name, value in named.items() if name != "img_suffix"}})
    assert told.fatal and "2 of its 2 images do not end in '.jpg'" in told.what and "img_suffix='.png'" in told.mend
    pictures(tmp_path, "a/i/3.PNG")
    (told,) = problems(tmp_path, "mmseg", {"train": named})
    assert not told.fatal and "1 of its 3 images do not end in '.png', its img_suffix, and are left out, e.g. 3.PNG" in told.what
    assert problems(tmp_path, "mmseg", {"train": {**named, "img_suffix": "0.png"}}) == [], "chosen by it"
    beside = {"img_path": "b", "seg_map_path": "b"}
    pictures(tmp_path, "b/1.jpg", "b/1.png")
    assert problems(tmp_path, "mmseg", {"train": maps("", data_prefix=beside, img_suffix=".jpg")}) == []


def test_images_of_two_splits_are_told(root):
    (told,) = problems(root, "mmseg", {"train": maps(""), "test": maps("images")})
    assert not told.fatal and told.where == "test_dataloader" and "5 of the 5 test images are training images, too" in told.what
    for split, names in (("train", ["a", "b"]), ("test", ["b", "d", "e"])):
        (root / f"{split}.txt").write_text("\n".join(names))
    (told,) = problems(root, "mmseg", {split: maps("images", ann_file=f"{split}.txt") for split in ("train", "test")})
    assert "1 of the 3 test images are training images, too" in told.what
    coco(root, "leaks.json", ["cat", "dog"], ["c.png", "e.png"], ["cat", "dog"])
    (told,) = problems(root, "mmdet", {"train": boxes("train.json"), "val": boxes("leaks.json"), "test": boxes("test.json")})[:1]
    assert told.where == "val_dataloader" and "1 of the 2 validation images are training images" in told.what


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ({"indices": [0]}, {"indices": [1]}),
        ({"fold": 0, "held_out": False}, {"fold": 0, "held_out": True}),
    ],
)
def test_datasets_that_choose_some_of_their_images_are_left_alone(root, train, test):
    assert problems(root, "mmseg", {"train": maps("images", **train), "test": maps("images", **test)}) == []
    folds = [{"type": "KFoldDataset", "fold": 0, "test_mode": tested, "dataset": maps("images")} for tested in (False, True)]
    assert problems(root, "mmseg", {"train": folds[0], "test": folds[1]}) == []


def test_a_dataset_of_any_options_is_no_traceback(root):
    (told,) = problems(root, "mmseg", {"train": maps("images", pipeline=3)})
    assert not told.fatal and told.where == "config" and "could not be looked at (TypeError" in told.what
    assert problems(root, "mmseg", {"train": maps("images", metainfo=3, data_prefix=["images"], ann_file=7)}) == []
